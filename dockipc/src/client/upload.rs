//! The body of a call: read from the caller's reader, and sent while the client waits for the answer.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::SendFlags;

use super::call::Call;
use super::connection::{is_quiet, is_ready};
use super::items::Items;
use super::limits::CallLimits;
use crate::error::{Error, Ran, Result};
use crate::reply::FromReply;
use crate::wire::encode;

/// A call with a body; see [`Call::body`] and [`Call::items`].
#[must_use = "a call is made with `.call()`"]
pub struct Upload<'c, R> {
    call: Call<'c>,
    reader: R,
    kind: &'static str,
}

impl<'c, R: Read + Send> Upload<'c, R> {
    pub(super) fn new(call: Call<'c>, reader: R, kind: &'static str) -> Self {
        Self { call, reader, kind }
    }

    fn parts<'f>(self) -> (Call<'c>, Body<'f, R>) {
        (self.call, Body { kind: self.kind, ..Body::new(self.reader, None) })
    }

    /// Makes the call and converts the answer; see [`Call::call`].
    ///
    /// # Errors
    /// Those of [`Call::call`], and [`Error::Io`] if the reader fails. The command is then cancelled.
    pub fn call<T: FromReply>(self) -> Result<T> {
        let (call, body) = self.parts();
        call.ask(Some(&body))
    }

    /// Makes the call and writes the answer as it arrives; see [`Call::copy_to`].
    ///
    /// # Errors
    /// Those of [`call`](Self::call), and [`Error::Io`] if writing fails.
    pub fn copy_to(self, out: &mut impl Write) -> Result<u64> {
        let (call, body) = self.parts();
        call.copy(out, Some(&body), &mut |_| ())
    }

    /// Makes the call of a command that answers with a [`Stream`](crate::Stream); see [`Call::stream`]. The body is
    /// sent while the items are waited for.
    ///
    /// # Errors
    /// Those of [`call`](Self::call), if they come before the first item.
    pub fn stream<T: FromReply>(self) -> Result<Items<T>>
    where
        R: 'static,
    {
        let (call, body) = self.parts();
        call.streamed(Some(Arc::new(body)))
    }
}

impl<R> fmt::Debug for Upload<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("call", &self.call).finish_non_exhaustive()
    }
}

/// The body of a call that is made, whatever its reader.
pub(crate) trait SendBody: Send + Sync {
    /// Returns the value of the key `body` that announces it.
    fn kind(&self) -> &'static str;

    /// Sends until something arrives, the body has ended or the daemon reads no more of it.
    fn pump(&self, stream: &UnixStream, call: &CallLimits<'_>) -> Result<()>;

    /// Does the next step of [`pump`](Self::pump) without blocking the thread; of the body of an async client.
    #[cfg(feature = "tokio")]
    fn poll_pump(
        &self,
        _stream: &UnixStream,
        _context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<Pumped>> {
        std::task::Poll::Ready(Ok(Pumped::Ended))
    }

    /// Returns whether bytes that were read are not sent.
    #[cfg(feature = "tokio")]
    fn is_unsent(&self) -> bool {
        false
    }

    /// The body follows what was sent, or does not.
    fn follow(&self, is_next: bool);

    /// Returns whether the reader was read, so that the call can't be repeated.
    fn is_begun(&self) -> bool;

    /// Returns whether the body was sent to its end, so that the connection can be used again.
    fn is_whole(&self) -> bool;
}

/// The result of one step of an async client's body.
#[cfg(feature = "tokio")]
pub(crate) enum Pumped {
    /// Something was read or sent.
    Some,
    /// There is no room for more.
    NoRoom,
    /// Nothing is left to send, or the daemon reads no more.
    Ended,
}

/// The longest part of a body that is sent in one frame.
const CHUNK: usize = 128 * 1024;

/// Room in front of the chunk for [`FRAME`] and the length.
const HEAD: usize = FRAME.len() + "$131072\r\n".len();

const FRAME: &[u8] = b"*3\r\n$7\r\ndockipc\r\n$4\r\ndata\r\n";

const END: &[u8] = b"*2\r\n$7\r\ndockipc\r\n$3\r\nend\r\n";

/// A body of which a part may be sent.
pub(crate) struct Body<'f, R> {
    kind: &'static str,
    state: Mutex<State<'f, R>>,
}

struct State<'f, R> {
    reader: R,
    /// The descriptor of the reader, which is then waited for together with the answer.
    descriptor: Option<BorrowedFd<'f>>,
    part: Part,
}

/// The part of a body that is being sent, and how far the body is.
pub(super) struct Part {
    /// A frame, of which the bytes from `sent` to `end` are not sent.
    frame: Vec<u8>,
    sent: usize,
    end: usize,
    pub(super) progress: Progress,
    pub(super) is_begun: bool,
}

/// The result of sending a part.
pub(super) enum Sent {
    /// Some bytes were sent, or the daemon reads no more.
    Some,
    /// There is no room for more.
    NoRoom,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// The command was not sent.
    NotNow,
    Sending,
    /// The reader has ended.
    Ending,
    /// All is sent.
    Whole,
    /// The daemon reads no more.
    Stopped,
}

impl<'f, R: Read + Send> Body<'f, R> {
    pub(crate) fn new(reader: R, descriptor: Option<BorrowedFd<'f>>) -> Self {
        let state = State { reader, descriptor, part: Part::new() };
        Self { kind: "1", state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State<'f, R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Read + Send> SendBody for Body<'_, R> {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn pump(&self, stream: &UnixStream, call: &CallLimits<'_>) -> Result<()> {
        self.state().pump(stream, call)
    }

    fn follow(&self, is_next: bool) {
        self.state().part.follow(is_next);
    }

    fn is_begun(&self) -> bool {
        self.state().part.is_begun
    }

    fn is_whole(&self) -> bool {
        self.state().part.progress == Progress::Whole
    }
}

impl<R: Read> State<'_, R> {
    fn pump(&mut self, stream: &UnixStream, call: &CallLimits<'_>) -> Result<()> {
        loop {
            if self.part.is_unsent() {
                if let Sent::NoRoom = self.part.send(stream)?
                    && has_answer(stream, call)?
                {
                    return Ok(());
                }
                continue;
            }
            match self.part.progress {
                Progress::Sending if self.waits_for_reader(stream, call)? => self.read(stream)?,
                Progress::Ending => {
                    self.part.progress = Progress::Whole;
                    return Ok(());
                }
                _ => return Ok(()),
            }
        }
    }

    /// Waits for the reader if that is possible. Returns false if something arrives first.
    fn waits_for_reader(&self, stream: &UnixStream, call: &CallLimits<'_>) -> Result<bool> {
        let Some(descriptor) = &self.descriptor else { return Ok(is_quiet(stream)) };
        let wait = call.wait(None);
        let mut fds = [PollFd::new(stream, PollFlags::IN), PollFd::new(descriptor, PollFlags::IN)];
        if !is_ready(&mut fds, &wait)? {
            let (doing, after) = ("reading the body", wait.limit());
            return Err(Error::TimedOut { doing, after, ran: Ran::Maybe });
        }
        Ok(fds[0].revents().is_empty())
    }

    /// Makes the next frame.
    fn read(&mut self, stream: &UnixStream) -> Result<()> {
        let read = loop {
            match self.reader.read(self.part.room()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        match read {
            Ok(len) => self.part.fill(len),
            Err(error) => return Err(self.part.broken(stream, error)),
        }
        Ok(())
    }
}

impl Part {
    pub(super) fn new() -> Self {
        let (frame, progress) = (Vec::new(), Progress::NotNow);
        Self { frame, sent: 0, end: 0, progress, is_begun: false }
    }

    pub(super) fn follow(&mut self, is_next: bool) {
        self.progress = if is_next { Progress::Sending } else { Progress::NotNow };
    }

    pub(super) fn is_unsent(&self) -> bool {
        self.sent < self.end
    }

    /// Sends what there is room for, without waiting.
    pub(super) fn send(&mut self, stream: &UnixStream) -> Result<Sent> {
        // Without MSG_NOSIGNAL, sending to a closed connection raises SIGPIPE, send(2).
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        match rustix::net::send(stream, &self.frame[self.sent..self.end], flags) {
            Ok(n) => self.sent += n,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(Sent::NoRoom),
            // The reason has been sent, or the connection is cut.
            Err(Errno::PIPE | Errno::CONNRESET) => {
                self.progress = Progress::Stopped;
                self.sent = self.end;
            }
            Err(errno) => return Err(Error::io("sending the body", errno)),
        }
        Ok(Sent::Some)
    }

    /// Returns the room for the next bytes of the reader.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.is_begun = true;
        self.frame.resize(HEAD + CHUNK + b"\r\n".len(), 0);
        &mut self.frame[HEAD..HEAD + CHUNK]
    }

    /// Makes a frame of the first bytes in the room; without any, the reader has ended.
    pub(super) fn fill(&mut self, len: usize) {
        if len == 0 {
            self.progress = Progress::Ending;
            self.frame = END.to_vec();
            (self.sent, self.end) = (0, END.len());
            return;
        }
        self.end = HEAD + len;
        self.frame[self.end..self.end + 2].copy_from_slice(b"\r\n");
        self.end += 2;
        self.sent = write_head(len, &mut self.frame[..HEAD]);
    }

    /// Returns the error of a reader that has failed.
    pub(super) fn broken(&mut self, stream: &UnixStream, error: std::io::Error) -> Error {
        self.progress = Progress::Stopped;
        // The end in front of the body's end cancels the command.
        let _ = stream.shutdown(Shutdown::Write);
        Error::io("reading the body", error)
    }
}

/// Waits until there is room or something arrives. Returns whether something has arrived.
fn has_answer(stream: &UnixStream, call: &CallLimits<'_>) -> Result<bool> {
    let wait = call.wait(call.limits.write);
    let mut fds = [PollFd::new(stream, PollFlags::IN | PollFlags::OUT)];
    if !is_ready(&mut fds, &wait)? {
        let (doing, after) = ("sending the body", wait.limit());
        return Err(Error::TimedOut { doing, after, ran: Ran::Maybe });
    }
    Ok(fds[0].revents().contains(PollFlags::IN))
}

/// Writes the head of a frame at the end of its room. Returns where it begins.
fn write_head(len: usize, room: &mut [u8]) -> usize {
    let mut start = room.len() - b"\r\n".len();
    room[start..].copy_from_slice(b"\r\n");
    start = encode::digits(i64::try_from(len).unwrap_or(i64::MAX), &mut room[..start]) - 1;
    room[start] = b'$';
    start -= FRAME.len();
    room[start..][..FRAME.len()].copy_from_slice(FRAME);
    start
}
