//! The blocking floor: a thread per connection that echoes frames of a length and the payload. It shows
//! the cost of the kernel's sockets and wake-ups alone.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use crate::Res;

/// A length of four bytes, little-endian, and the payload.
pub(crate) fn frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_le_bytes().to_vec();
    frame.extend_from_slice(payload);
    frame
}

/// Returns the length of the whole frames at the beginning of `input`.
pub(crate) fn whole(input: &[u8]) -> usize {
    let mut used = 0;
    while let Some((length, rest)) = input[used..].split_first_chunk() {
        let length = u32::from_le_bytes(*length) as usize;
        if rest.len() < length {
            break;
        }
        used += 4 + length;
    }
    used
}

pub(crate) fn serve(socket: &Path) -> Res<()> {
    for stream in UnixListener::bind(socket)?.incoming() {
        let stream = stream?;
        thread::spawn(move || echo(stream));
    }
    Ok(())
}

fn echo(mut stream: UnixStream) -> io::Result<()> {
    let (mut input, mut fill) = ([0; 8192], 0);
    loop {
        match stream.read(&mut input[fill..])? {
            0 => return Ok(()),
            n => fill += n,
        }
        let used = whole(&input[..fill]);
        if used > 0 {
            stream.write_all(&input[..used])?;
            input.copy_within(used..fill, 0);
            fill -= used;
        }
    }
}
