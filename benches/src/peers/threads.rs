//! A hand-written server: a thread per connection that speaks enough RESP.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use super::{dockipc, resp};
use crate::Res;
use crate::load::copy;

pub(crate) fn serve(socket: &Path) -> Res<()> {
    for stream in UnixListener::bind(socket)?.incoming() {
        let stream = stream?;
        thread::spawn(move || answer(stream));
    }
    Ok(())
}

fn answer(mut stream: UnixStream) -> Res<()> {
    let (mut input, mut fill) = ([0; 8192], 0);
    let mut output = Vec::with_capacity(1024);
    loop {
        match stream.read(&mut input[fill..])? {
            0 => return Ok(()),
            n => fill += n,
        }
        let mut used = 0;
        loop {
            let rest = &input[used..fill];
            match resp::parse(rest) {
                Ok(Some(resp::Parsed { name, word, end })) => {
                    match big(&rest[name.clone()], &rest[word.clone()])? {
                        Some(bytes) => {
                            // The bare copy loop.
                            write!(output, "${}\r\n", bytes.len())?;
                            stream.write_all(&std::mem::take(&mut output))?;
                            stream.write_all(&bytes)?;
                            output.extend_from_slice(b"\r\n");
                        }
                        None if &rest[name.clone()] == b"stream" => {
                            for piece in copy::pieces(number(&rest[word])? as usize) {
                                stream.write_all(&piece)?;
                            }
                            return Ok(());
                        }
                        None if &rest[name.clone()] == b"take" => {
                            let bytes = rest.len() - end + copy::count(&mut stream)?;
                            write!(stream, "{bytes}")?;
                            return Ok(());
                        }
                        None => run(&rest[name], &rest[word], &mut output)?,
                    }
                    used += end;
                }
                Ok(None) => break,
                Err(why) => {
                    output.extend_from_slice(format!("-ERR {why}\r\n").as_bytes());
                    stream.write_all(&output)?;
                    return Ok(());
                }
            }
        }
        // One write for all commands of one read.
        stream.write_all(&output)?;
        output.clear();
        input.copy_within(used..fill, 0);
        fill -= used;
    }
}

/// Answers the complete commands at the beginning of the input, for the epoll floor on all CPUs.
pub(crate) fn answers(input: &[u8], output: &mut Vec<u8>) -> Result<usize, &'static str> {
    let mut used = 0;
    while let Some(resp::Parsed { name, word, end }) = resp::parse(&input[used..])? {
        let rest = &input[used..];
        run(&rest[name], &rest[word], output).map_err(|_| "not a number")?;
        used += end;
    }
    Ok(used)
}

/// Returns an answer of many bytes.
fn big(name: &[u8], word: &[u8]) -> Res<Option<Vec<u8>>> {
    let make = match name {
        b"fill" => dockipc::fill,
        b"zeros" => dockipc::zeros,
        _ => return Ok(None),
    };
    Ok(Some(make(number(word)? as usize)))
}

fn number(word: &[u8]) -> Res<u64> {
    Ok(std::str::from_utf8(word)?.parse()?)
}

fn run(name: &[u8], word: &[u8], output: &mut Vec<u8>) -> Res<()> {
    if name.eq_ignore_ascii_case(b"echo") {
        write!(output, "${}\r\n", word.len())?;
        output.extend_from_slice(word);
        output.extend_from_slice(b"\r\n");
    } else if name.eq_ignore_ascii_case(b"ping") {
        output.extend_from_slice(b"+PONG\r\n");
    } else if name.eq_ignore_ascii_case(b"block") {
        write!(output, ":{}\r\n", dockipc::block(number(word)?))?;
    } else if name.eq_ignore_ascii_case(b"compute") {
        write!(output, ":{}\r\n", dockipc::compute(number(word)?))?;
    } else if name.eq_ignore_ascii_case(b"work") {
        write!(output, ":{}\r\n", dockipc::work(number(word)?))?;
    } else {
        output.extend_from_slice(b"-ERR unknown command\r\n");
    }
    Ok(())
}
