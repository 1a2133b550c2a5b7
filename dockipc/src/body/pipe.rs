//! [`Pipe`], the buffers between the connection that a body comes through and the function that reads it.

use std::collections::VecDeque;
use std::io::{self, BufRead, ErrorKind, Read};
#[cfg(feature = "tokio")]
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
#[cfg(feature = "tokio")]
use std::task::{Context, Poll, Waker};

#[cfg(feature = "tokio")]
use tokio::io::{AsyncRead, ReadBuf};

use super::{Bounds, Broken, Form, Intake, Origin, Received, Source, Taken};
use crate::buffer::Buffer;
#[cfg(feature = "tokio")]
use crate::caught::caught;
use crate::error::{Failure, code};
use crate::later::Bell;
use crate::wire::{Frames, Part};

/// The size of a buffer.
const BUFFER: usize = 128 * 1024;

/// The most buffers of a body.
const MOST: usize = 4;

/// The number of buffers at which a connection that waits for room is told that there is.
const LOW: usize = 2;

/// The most buffers that are filled in one turn of the connection.
const TURN: usize = 2;

/// The way of the bytes of one body. The connection fills buffers, and the reader empties them and gives them back.
struct Pipe {
    /// Invariant: no code of the author's runs while this is locked, and no other lock is taken.
    state: Mutex<State>,
    /// Notified when bytes have come, and at the end.
    arrived: Condvar,
    /// Invariant: locked by the connection alone, so that it never waits for it.
    framing: Mutex<Framing>,
    bounds: Bounds,
    /// How items are written, if it has any.
    form: Form,
}

struct State {
    /// The buffers that wait for the reader.
    pieces: VecDeque<Piece>,
    /// The buffers that wait for the reader or that it has.
    used: usize,
    /// The bytes of memory in these.
    held: usize,
    /// Buffers that are empty.
    spare: Vec<Piece>,
    end: End,
    has_reader: bool,
    /// The function has got an error in place of bytes.
    is_failure_seen: bool,
    /// Whether a thread waits for bytes.
    is_awaited: bool,
    /// The task that waits for bytes.
    #[cfg(feature = "tokio")]
    task: Option<Waker>,
    /// Rung when there is room.
    bell: Option<Arc<dyn Bell>>,
}

#[derive(Clone, Copy)]
enum End {
    /// More bytes come.
    Open,
    Whole,
    Broken(Broken),
}

/// The part of the input that belongs to the body.
struct Framing {
    /// The decoder of a body in commands; none if all input is the body's.
    frames: Option<Frames>,
    /// The number of bytes so far.
    taken: u64,
}

/// A buffer, and the bytes of the body in it.
#[derive(Default)]
struct Piece {
    buffer: Buffer,
    spans: Vec<(usize, usize)>,
    /// The span that is read next.
    next: usize,
}

/// Makes the way of a body.
pub(crate) fn pipe(origin: Origin<'_>, bounds: Bounds) -> Arc<dyn Intake> {
    let frames = matches!(origin, Origin::Frames { .. }).then(Frames::default);
    let form = match origin {
        Origin::Frames { are_values: true } => Form::Values,
        Origin::Frames { .. } | Origin::Rest => Form::Lines,
        Origin::Word(_) => Form::Word,
    };
    let pipe = Arc::new(Pipe {
        state: Mutex::new(State {
            pieces: VecDeque::new(),
            used: 0,
            held: 0,
            spare: Vec::new(),
            end: End::Open,
            has_reader: true,
            is_failure_seen: false,
            is_awaited: false,
            #[cfg(feature = "tokio")]
            task: None,
            bell: None,
        }),
        arrived: Condvar::new(),
        framing: Mutex::new(Framing { frames, taken: 0 }),
        bounds,
        form,
    });
    if let Origin::Word(word) = origin {
        let mut buffer = Buffer::with_capacity(word.len());
        buffer.extend_from_slice(word);
        let mut framing = pipe.framing();
        let mut piece = Piece { buffer, ..Piece::default() };
        let end = framing.find(&mut piece, pipe.bounds.body).unwrap_or(End::Whole);
        drop(framing);
        pipe.push(piece, Some(end));
    }
    pipe
}

impl Framing {
    /// Finds the bytes of the body in a buffer. Returns its end if it has one there; `Err` if the input is wrong.
    /// The bytes that follow the end are left in the buffer, after the last span.
    fn decode(&mut self, piece: &mut Piece, max: Option<u64>) -> Result<Option<(End, usize)>, ()> {
        let Some(frames) = &mut self.frames else {
            let length = piece.buffer.len();
            return Ok(self.find(piece, max).map(|end| (end, length)));
        };
        let mut at = 0;
        loop {
            match frames.next(&piece.buffer[at..]) {
                Part::Nothing => return Ok(None),
                Part::Bytes { start, end } => {
                    self.taken += (end - start) as u64;
                    if let Some(max) = max.filter(|max| self.taken > *max) {
                        return Ok(Some((End::Broken(Broken::TooBig(max)), at + end)));
                    }
                    piece.spans.push((at + start, at + end));
                    at += end;
                }
                Part::End { len } => {
                    self.frames = None;
                    return Ok(Some((End::Whole, at + len)));
                }
                Part::Wrong => return Err(()),
            }
        }
    }

    /// Takes all bytes in a buffer as the body's. Returns its end if they are too many.
    fn find(&mut self, piece: &mut Piece, max: Option<u64>) -> Option<End> {
        self.taken += piece.buffer.len() as u64;
        if let Some(max) = max.filter(|max| self.taken > *max) {
            return Some(End::Broken(Broken::TooBig(max)));
        }
        if !piece.buffer.is_empty() {
            piece.spans.push((0, piece.buffer.len()));
        }
        None
    }
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn framing(&self) -> MutexGuard<'_, Framing> {
        self.framing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a buffer to the reader, and the end of the body if that is known.
    fn push(&self, piece: Piece, end: Option<End>) {
        let mut state = self.lock();
        let has_bytes = !piece.spans.is_empty() && state.has_reader;
        if has_bytes {
            state.used += 1;
            state.held += piece.buffer.capacity();
            state.pieces.push_back(piece);
        } else {
            state.recycle(piece);
        }
        if let (End::Open, Some(end)) = (state.end, end) {
            state.end = end;
        }
        if has_bytes || end.is_some() {
            self.wake(state);
        }
    }

    /// Wakes the reader.
    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let is_awaited = std::mem::take(&mut state.is_awaited);
        #[cfg(feature = "tokio")]
        let task = state.task.take();
        drop(state);
        if is_awaited {
            self.arrived.notify_all();
        }
        #[cfg(feature = "tokio")]
        if let Some(task) = task {
            caught(|| task.wake());
        }
    }

    /// Returns an empty buffer, or `None` if there is no room.
    fn empty(&self, bell: &Arc<dyn Bell>) -> Option<Piece> {
        let mut state = self.lock();
        if state.used >= MOST {
            let earlier = state.bell.replace(Arc::clone(bell));
            drop(state);
            drop(earlier);
            return None;
        }
        let spare = state.spare.pop();
        drop(state);
        Some(
            spare.unwrap_or_else(|| Piece {
                buffer: Buffer::with_capacity(BUFFER),
                ..Piece::default()
            }),
        )
    }

    fn is_open(&self) -> bool {
        let state = self.lock();
        state.has_reader && matches!(state.end, End::Open)
    }
}

impl State {
    /// Keeps a buffer for later.
    fn recycle(&mut self, mut piece: Piece) {
        if self.has_reader && matches!(self.end, End::Open) && self.spare.len() < LOW {
            piece.buffer.clear();
            piece.spans.clear();
            piece.next = 0;
            self.spare.push(piece);
        }
    }
}

impl Intake for Pipe {
    fn reader(self: Arc<Self>) -> Box<dyn BufRead + Send> {
        Box::new(Reader { pipe: self, current: None })
    }

    #[cfg(feature = "tokio")]
    fn async_reader(self: Arc<Self>) -> Pin<Box<dyn AsyncRead + Send>> {
        Box::pin(Reader { pipe: self, current: None })
    }

    fn take(&self, read: &mut Buffer, source: &mut dyn Source, bell: &Arc<dyn Bell>) -> Taken {
        let mut taken = Taken::Nothing;
        for _ in 0..TURN {
            if !self.is_open() {
                return taken;
            }
            let Some(mut piece) = self.empty(bell) else { return Taken::Full };
            let has_read = !read.is_empty();
            let received = if has_read {
                let here = read.len().min(BUFFER);
                piece.buffer.extend_from_slice(&read[..here]);
                Received::Bytes
            } else {
                source.receive(&mut piece.buffer)
            };
            let mut framing = self.framing();
            let is_framed = framing.frames.is_some();
            let length = piece.buffer.len();
            let decoded = match received {
                Received::Bytes => framing.decode(&mut piece, self.bounds.body),
                Received::Nothing => Ok(None),
                // The half-closed side of our client cancels the command.
                Received::End if is_framed => Ok(None),
                Received::End => Ok(Some((End::Whole, 0))),
                Received::Cut => Ok(Some((End::Broken(Broken::Cut), 0))),
            };
            drop(framing);
            let Ok(end) = decoded else {
                self.fail(Broken::Cut);
                return Taken::Wrong;
            };
            let used = end.map_or(length, |(_, used)| used);
            if has_read {
                read.consume(used);
            } else if used < length {
                read.extend_from_slice(&piece.buffer[used..]);
            }
            self.push(piece, end.map(|(end, _)| end));
            if received != Received::Bytes {
                return taken;
            }
            taken = Taken::Some;
        }
        Taken::Part
    }

    fn wants_more(&self) -> bool {
        let state = self.lock();
        state.has_reader && matches!(state.end, End::Open) && state.used < MOST
    }

    fn fail(&self, why: Broken) {
        let mut state = self.lock();
        if let End::Open = state.end {
            state.end = End::Broken(why);
            // What has come is not the whole.
            while let Some(piece) = state.pieces.pop_front() {
                state.used -= 1;
                state.held -= piece.buffer.capacity();
            }
            state.spare.clear();
        }
        self.wake(state);
    }

    fn failure(&self) -> Option<Failure> {
        let state = self.lock();
        match state.end {
            End::Broken(why @ (Broken::Late | Broken::TooBig(_))) if state.is_failure_seen => {
                Some(why.failure())
            }
            _ => None,
        }
    }

    fn rest(&self) -> Option<Frames> {
        self.framing().frames
    }

    fn held(&self) -> usize {
        self.lock().held
    }

    fn form(&self) -> Form {
        self.form
    }

    fn max_item(&self) -> usize {
        self.bounds.item
    }
}

impl Broken {
    fn failure(self) -> Failure {
        match self {
            Self::Cut => {
                Failure::new(code::INCOMPLETE, "the client left in the middle of the body")
            }
            Self::Stopped(why) => why.failure(),
            Self::Answered => {
                Failure::new(code::INCOMPLETE, "the command has answered before the body's end")
            }
            Self::Late => Failure::new(code::TIMEOUT, "the rest of the body did not come in time"),
            Self::TooBig(max) => {
                Failure::new(code::TOOBIG, format_args!("the body is longer than {max} bytes"))
            }
        }
    }

    fn error(self) -> io::Error {
        let kind = match self {
            Self::Stopped(why) => return why.into(),
            Self::Cut | Self::Answered => ErrorKind::UnexpectedEof,
            Self::Late => ErrorKind::TimedOut,
            Self::TooBig(_) => ErrorKind::FileTooLarge,
        };
        io::Error::new(kind, self.failure().message())
    }
}

/// The end of a [`Pipe`] at which its bytes are read.
struct Reader {
    pipe: Arc<Pipe>,
    /// The buffer that is read, without a lock.
    current: Option<Piece>,
}

impl Reader {
    /// Returns the bytes that are there.
    fn unread(&self) -> &[u8] {
        let Some(Piece { buffer, spans, next }) = &self.current else { return &[] };
        spans.get(*next).map_or(&[][..], |(start, end)| &buffer[*start..*end])
    }

    fn advance_by(&mut self, count: usize) {
        let Some(Piece { spans, next, .. }) = &mut self.current else { return };
        if let Some((start, end)) = spans.get_mut(*next) {
            *start = (*start + count).min(*end);
            *next += usize::from(start == end);
        }
    }

    /// Takes the next buffer. Returns whether there is one; the state if it has not come.
    fn advance<'p>(
        mut state: MutexGuard<'p, State>,
        current: &mut Option<Piece>,
    ) -> Result<io::Result<bool>, MutexGuard<'p, State>> {
        if let Some(piece) = current.take() {
            state.used -= 1;
            state.held -= piece.buffer.capacity();
            state.recycle(piece);
        }
        *current = state.pieces.pop_front();
        let result = match (&current, state.end) {
            (Some(_), _) => Ok(true),
            (None, End::Whole) => Ok(false),
            (None, End::Broken(why)) => {
                state.is_failure_seen = true;
                Err(why.error())
            }
            (None, End::Open) => return Err(state),
        };
        let bell = if state.used <= LOW { state.bell.take() } else { None };
        drop(state);
        if let Some(bell) = bell {
            bell.ring();
        }
        Ok(result)
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let bytes = self.fill_buf()?;
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        self.advance_by(count);
        Ok(count)
    }
}

impl BufRead for Reader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.unread().is_empty() {
            let mut state = self.pipe.lock();
            let has_bytes = loop {
                match Self::advance(state, &mut self.current) {
                    Ok(result) => break result?,
                    Err(waiting) => state = waiting,
                }
                state.is_awaited = true;
                state = self.pipe.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
            };
            if !has_bytes {
                break;
            }
        }
        Ok(self.unread())
    }

    fn consume(&mut self, count: usize) {
        self.advance_by(count);
    }
}

#[cfg(feature = "tokio")]
impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        while self.unread().is_empty() {
            // A waker is the author's code, which is cloned and dropped without the lock.
            let task = context.waker().clone();
            let Self { pipe, current } = &mut *self;
            match Self::advance(pipe.lock(), current) {
                Ok(Ok(true)) => {}
                Ok(result) => return Poll::Ready(result.map(drop)),
                Err(mut state) => {
                    let earlier = state.task.replace(task);
                    drop(state);
                    drop(earlier);
                    return Poll::Pending;
                }
            }
        }
        let bytes = self.unread();
        let count = bytes.len().min(buffer.remaining());
        buffer.put_slice(&bytes[..count]);
        self.advance_by(count);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.pipe.lock();
        state.has_reader = false;
        let dropped = (
            std::mem::take(&mut state.pieces),
            std::mem::take(&mut state.spare),
            state.bell.take(),
        );
        (state.used, state.held) = (0, 0);
        drop(state);
        drop(dropped);
    }
}
