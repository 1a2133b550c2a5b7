//! The epoll floors: one thread, one epoll set.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

use super::floor;
use crate::Res;

pub(super) struct Connection {
    pub(super) stream: UnixStream,
    /// The bytes of an incomplete command.
    part: Vec<u8>,
}

impl Connection {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, part: Vec::new() }
    }
}

/// Appends the answers to the complete commands at the beginning of the input. Returns the length of these
/// commands.
pub(crate) type Answers = fn(&[u8], &mut Vec<u8>) -> Result<usize, &'static str>;

#[expect(clippy::unnecessary_wraps, reason = "the answers of another protocol can fail")]
pub(crate) fn frames(input: &[u8], output: &mut Vec<u8>) -> Result<usize, &'static str> {
    let used = floor::whole(input);
    output.extend_from_slice(&input[..used]);
    Ok(used)
}

/// Runs the server. The sockets stay blocking: a read follows readiness, and a write would only block on
/// a client that does not read, and these clients read.
pub(crate) fn serve(socket: &Path, answers: Answers) -> Res<()> {
    let listener = UnixListener::bind(socket)?;
    listener.set_nonblocking(true)?;
    let set = epoll::create(CreateFlags::CLOEXEC)?;
    let data = |fd: RawFd| EventData::new_u64(u64::from(fd.unsigned_abs()));
    epoll::add(&set, &listener, data(listener.as_raw_fd()), EventFlags::IN)?;
    let listener_data = data(listener.as_raw_fd()).u64();
    // Indexed by descriptor.
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut events = Vec::with_capacity(256);
    let (mut input, mut output) = ([0; 8192], Vec::new());
    loop {
        events.clear();
        match epoll::wait(&set, rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        for event in &events {
            let id = event.data.u64();
            if id == listener_data {
                while let Ok((stream, _)) = listener.accept() {
                    let fd = stream.as_raw_fd();
                    epoll::add(&set, &stream, data(fd), EventFlags::IN)?;
                    let at = fd as usize;
                    if connections.len() <= at {
                        connections.resize_with(at + 1, || None);
                    }
                    connections[at] = Some(Connection::new(stream));
                }
                continue;
            }
            let slot = &mut connections[id as usize];
            output.clear();
            let is_alive = slot
                .as_mut()
                .is_some_and(|connection| turn(connection, &mut input, &mut output, answers));
            if !is_alive {
                // Closing the descriptor removes it from the set.
                *slot = None;
            }
        }
    }
}

/// Serves a readable connection. Returns whether it stays open.
pub(super) fn turn(
    connection: &mut Connection,
    input: &mut [u8],
    output: &mut Vec<u8>,
    answers: Answers,
) -> bool {
    let fill = connection.part.len();
    if fill == input.len() {
        return false;
    }
    input[..fill].copy_from_slice(&connection.part);
    let n = match connection.stream.read(&mut input[fill..]) {
        Ok(n @ 1..) => n,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
        _ => return false,
    };
    let input = &input[..fill + n];
    let Ok(used) = answers(input, output) else { return false };
    connection.part.clear();
    connection.part.extend_from_slice(&input[used..]);
    output.is_empty() || connection.stream.write_all(output).is_ok()
}
