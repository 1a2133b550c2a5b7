//! The part of RESP that the benches need.

use std::ops::Range;

pub(crate) fn command(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(&bulk(word));
    }
    bytes
}

pub(crate) fn bulk(word: &str) -> Vec<u8> {
    format!("${}\r\n{word}\r\n", word.len()).into_bytes()
}

/// Returns the bytes of the bulk string at the beginning of the input, and the position after it; `None` if
/// it is incomplete.
pub(crate) fn bulk_answer(input: &[u8]) -> Result<Option<(&[u8], usize)>, &'static str> {
    let Some((length, start)) = number(input, 0, b'$')? else { return Ok(None) };
    let end = start + length;
    match input.get(end..end + 2) {
        None => Ok(None),
        Some(b"\r\n") => Ok(Some((&input[start..end], end + 2))),
        Some(_) => Err("not RESP"),
    }
}

/// A command of one or two words, as ranges of the input.
pub(crate) struct Parsed {
    pub(crate) name: Range<usize>,
    pub(crate) word: Range<usize>,
    pub(crate) end: usize,
}

/// Returns the first command, or `None` if it is incomplete.
pub(crate) fn parse(input: &[u8]) -> Result<Option<Parsed>, &'static str> {
    let Some((count, mut at)) = number(input, 0, b'*')? else { return Ok(None) };
    let mut words = [0..0, 0..0];
    if !(1..=2).contains(&count) {
        return Err("one word or two");
    }
    for word in words.iter_mut().take(count) {
        let Some((length, start)) = number(input, at, b'$')? else { return Ok(None) };
        if length > 4096 {
            return Err("too long");
        }
        at = start + length + 2;
        if input.len() < at {
            return Ok(None);
        }
        *word = start..start + length;
    }
    let [name, word] = words;
    Ok(Some(Parsed { name, word, end: at }))
}

/// Answers `ECHO` and nothing else, for the epoll floor of RESP: the client sends these bytes.
pub(crate) fn echoes(input: &[u8], output: &mut Vec<u8>) -> Result<usize, &'static str> {
    const HEAD: &[u8] = b"*2\r\n$4\r\necho\r\n";
    let mut used = 0;
    while let Some((head, rest)) = input[used..].split_at_checked(HEAD.len()) {
        if head != HEAD {
            return Err("not an ECHO");
        }
        let Some((length, start)) = number(rest, 0, b'$')? else { break };
        let end = start + length + 2;
        if rest.len() < end {
            break;
        }
        output.extend_from_slice(&rest[..end]);
        used += HEAD.len() + end;
    }
    Ok(used)
}

/// Parses a number line such as `*2\r\n` at this position. Returns the number and the position after it.
fn number(input: &[u8], at: usize, sign: u8) -> Result<Option<(usize, usize)>, &'static str> {
    let mut number = 0;
    for (i, &byte) in input[at..].iter().enumerate() {
        match byte {
            _ if i == 0 && byte == sign => {}
            b'0'..=b'9' if (1..8).contains(&i) => number = number * 10 + usize::from(byte - b'0'),
            b'\r' if i > 1 => return Ok((input.len() > at + i + 1).then_some((number, at + i + 2))),
            _ => return Err("not RESP"),
        }
    }
    Ok(None)
}
