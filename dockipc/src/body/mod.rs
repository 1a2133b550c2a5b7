//! [`Body`] and [`AsyncBody`], the bytes that a client sends after a command, and [`Intake`], through which they come.
//!
//! A body is never held in memory as a whole: the engine fills a [`Pipe`] of a few buffers while there is room, and
//! the command's function reads it.

mod pipe;

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
#[cfg(feature = "tokio")]
use std::pin::Pin;
use std::sync::Arc;
#[cfg(feature = "tokio")]
use std::task::{Context, Poll};

#[cfg(feature = "tokio")]
use tokio::io::{AsyncRead, ReadBuf};

use crate::buffer::Buffer;
use crate::error::{Failure, Stopped};
use crate::later::Bell;
use crate::wire::Frames;

pub(crate) use self::pipe::pipe;

/// The bytes that a client sends after a command: a file, an archive. Injected as a parameter, by value.
///
/// ```standalone_crate
/// use dockipc::{Body, command};
/// use std::io::{self, BufRead};
///
/// /// Count the lines that are not empty.
/// #[command]
/// fn count_lines(text: Body) -> io::Result<usize> {
///     let mut count = 0;
///     for line in text.lines() {
///         count += usize::from(!line?.is_empty());
///     }
///     Ok(count)
/// }
///
/// // As a function it takes any reader.
/// assert_eq!(count_lines(Body::new(&b"a\n\nb\n"[..]))?, 2);
/// # Ok::<(), io::Error>(())
/// ```
///
/// The function reads while the client sends, and as fast as it likes: about 512 KiB wait for it, and the client waits
/// for the rest. It may answer without having read to the end.
///
/// # How a client sends a body
///
/// - `dockipc call SOCKET count-lines - < FILE`, and our client with `body(reader)`.
/// - In line mode, all that follows the line, up to the end of the client's side:
///   `{ echo count-lines; cat FILE; } | nc -N -U SOCKET`.
/// - A Redis client sends it as the last word of the command, up to [`max_command`](crate::Server::max_command):
///   `redis-cli -x -s SOCKET count-lines < FILE`.
///
/// # Errors
///
/// The end of the body is told from a body that was cut off: then [`read`](Read::read) fails. It fails
///
/// - if the client leaves in the middle, or the command has answered before the end:
///   [`UnexpectedEof`](io::ErrorKind::UnexpectedEof);
/// - if the command is asked to stop, with its [`Stopped`];
/// - if the body is longer than [`Server::max_body`](crate::Server::max_body), and if nothing comes within
///   [`Server::arrival_timeout`](crate::Server::arrival_timeout). Then the answer is `-TOOBIG` or `-TIMEOUT`, whatever the
///   function returns.
///
/// A command has one body at most, behind its other parameters, and no [`Local`](crate::Local); an `async fn` takes an `AsyncBody` (feature `tokio`).
/// `MULTI` does not queue such a command.
pub struct Body(Box<dyn BufRead + Send>);

impl Body {
    /// Makes a body of any reader, for a test that calls the command's function.
    pub fn new(reader: impl Read + Send + 'static) -> Self {
        Self(Box::new(BufReader::new(reader)))
    }

    pub(crate) fn of(intake: Arc<dyn Intake>) -> Self {
        Self(intake.reader())
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

/// Lends the bytes from the memory in which they came.
impl BufRead for Body {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.0.consume(count);
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}

/// Like [`Body`], for an `async fn`.
///
/// ```standalone_crate
/// use dockipc::{AsyncBody, command};
/// use std::io;
/// use tokio::io::AsyncReadExt;
///
/// /// Count the bytes.
/// #[command]
/// async fn count_bytes(mut body: AsyncBody) -> io::Result<usize> {
///     let (mut buffer, mut count) = (vec![0; 64 * 1024], 0);
///     loop {
///         match body.read(&mut buffer).await? {
///             0 => return Ok(count),
///             n => count += n,
///         }
///     }
/// }
/// ```
#[cfg(feature = "tokio")]
pub struct AsyncBody(Pin<Box<dyn AsyncRead + Send>>);

#[cfg(feature = "tokio")]
impl AsyncBody {
    /// Makes a body of any reader, for a test that calls the command's function.
    pub fn new(reader: impl AsyncRead + Send + 'static) -> Self {
        Self(Box::pin(reader))
    }

    pub(crate) fn of(intake: Arc<dyn Intake>) -> Self {
        Self(intake.async_reader())
    }
}

#[cfg(feature = "tokio")]
impl AsyncRead for AsyncBody {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_read(context, buffer)
    }
}

#[cfg(feature = "tokio")]
impl fmt::Debug for AsyncBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncBody").finish_non_exhaustive()
    }
}

/// Where the bytes of a body are.
#[derive(Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// In commands of our client that follow.
    Frames,
    /// All that follows.
    Rest,
    /// The last word of the command.
    Word(&'a [u8]),
}

/// A body that comes, as the connection sees it.
///
/// A trait, so that a program without bodies does not contain its code.
pub(crate) trait Intake: Send + Sync {
    /// Returns the reader for the command's function.
    fn reader(self: Arc<Self>) -> Box<dyn BufRead + Send>;

    #[cfg(feature = "tokio")]
    fn async_reader(self: Arc<Self>) -> Pin<Box<dyn AsyncRead + Send>>;

    /// Takes bytes while there is room for them: first those that were `read` with the command, then those of the
    /// source. If there is no room, `bell` is rung when there is.
    fn take(&self, read: &mut Buffer, source: &mut dyn Source, bell: &Arc<dyn Bell>) -> Taken;

    /// Returns whether bytes can be taken: the body has not ended, and there is room.
    fn wants_more(&self) -> bool;

    /// The body has no further bytes, although it is not whole. It does nothing if the body has ended.
    fn fail(&self, why: Broken);

    /// Returns the failure of a body that is the answer, if the function has seen it.
    fn failure(&self) -> Option<Failure>;

    /// Returns the decoder for the rest of a body that has not ended, which the client may still send.
    fn rest(&self) -> Option<Frames>;

    /// Returns the number of bytes in memory.
    fn held(&self) -> usize;
}

/// The bytes that a client sends. The engine implements it.
pub(crate) trait Source {
    /// Appends bytes that are there to the buffer, which has room.
    fn receive(&mut self, buffer: &mut Buffer) -> Received;
}

/// The result of receiving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Bytes,
    /// There is nothing at the moment.
    Nothing,
    /// The client has ended its side.
    End,
    /// The client has left.
    Cut,
}

/// The result of taking bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// There was nothing to take.
    Nothing,
    /// Some bytes, and all that are there for now.
    Some,
    /// Others are to be served before more is taken.
    Part,
    /// There is no room.
    Full,
    /// The input is no part of a body.
    Wrong,
}

/// Why a body is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The client has left.
    Cut,
    /// The command was asked to stop.
    Stopped(Stopped),
    /// The command has answered, and whoever has kept the body gets no more of it.
    Answered,
    /// Nothing came for too long.
    Late,
    /// The body is longer than this limit.
    TooBig(u64),
}
