//! One turn of one connection: read, run what is whole, send.

use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};

use super::hub::{Fate, Seen};
use super::pace::{Pace, Paces};
use super::{Core, IDLE, Kit, READ, Worker};
use crate::arg::Scratch;
use crate::connection::{Connection, Step};
use crate::wire::{Protocol, encode};

/// A connection with its socket. At rest it is this and nothing else: buffers that are empty take no
/// memory.
pub(super) struct Conn {
    socket: Arc<OwnedFd>,
    /// What its events carry.
    data: u64,
    protocol: Connection,
    /// What was read and not used up.
    input: Vec<u8>,
    /// What the socket didn't take.
    out: Vec<u8>,
    deadline: Option<Instant>,
    /// The socket has bytes, as far as is known.
    readable: bool,
    /// More input is needed before anything can be done.
    wants: bool,
    /// The client has ended its side; there may still be bytes in front of the end.
    ended: bool,
    /// Nobody is there who could send more.
    gone: bool,
    registered: bool,
    closing: Closing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    /// When the last answer is sent.
    Flushing,
    /// What the client still sends is read away, so many bytes at most.
    Draining(usize),
}

/// How long a client may take nothing of its answer.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);

/// How long a client that is turned away may take to say how it speaks.
const REFUSED_DEADLINE: Duration = Duration::from_secs(2);

/// How long, and how much, is read away after the last answer.
const DRAIN_DEADLINE: Duration = Duration::from_secs(2);
const DRAIN_BYTES: usize = 1 << 20;

/// Answers are sent when there are so many bytes of them, at the latest.
const FLUSH: usize = 64 * 1024;

/// A buffer of answers larger than this is not kept.
const KEEP: usize = 256 * 1024;

/// Why no further command is run in this turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// The bytes at hand are used up.
    Wants,
    /// The turn lasts; others wait.
    Tired,
    /// The socket doesn't take the answers.
    Blocked,
    /// The next command is slow: not for the leader.
    Later,
    /// The connection ends.
    Ends,
    /// The connection is broken.
    Broken,
}

impl Conn {
    pub(super) fn new(socket: OwnedFd, protocol: Connection, data: u64) -> Self {
        let deadline = protocol.refusal().map(|_| Instant::now() + REFUSED_DEADLINE);
        Self {
            socket: Arc::new(socket),
            data,
            protocol,
            input: Vec::new(),
            out: Vec::new(),
            deadline,
            readable: false,
            wants: true,
            ended: false,
            gone: false,
            registered: false,
            closing: Closing::No,
        }
    }

    pub(super) fn socket(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.socket)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether an answer is on its way.
    pub(super) fn must_be_heard(&self) -> bool {
        !self.out.is_empty()
    }

    /// Whether it is one of those that are served.
    pub(super) fn counts(&self) -> bool {
        self.protocol.refusal().is_none()
    }

    /// Sets an earlier deadline.
    pub(super) fn hurry(&mut self, at: Instant) {
        self.deadline = Some(self.deadline.map_or(at, |deadline| deadline.min(at)));
    }
}

/// Sends what the socket takes. False if the connection is broken.
pub(super) fn send(socket: &OwnedFd, out: &mut Vec<u8>) -> bool {
    let mut sent = 0;
    let mut alive = true;
    while sent < out.len() {
        match rustix::net::send(socket, &out[sent..], SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(n) => sent += n,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => break,
            Err(_) => {
                alive = false;
                break;
            }
        }
    }
    if sent == out.len() {
        out.clear();
    } else {
        out.drain(..sent);
    }
    alive
}

impl Worker {
    fn out(&self) -> MutexGuard<'_, Vec<u8>> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn beat(&self) {
        self.beat.store(self.beat.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// What the router is told to ask before it runs a command.
struct Runner<'a> {
    core: &'a Arc<Core>,
    me: &'a Arc<Worker>,
    socket: &'a OwnedFd,
    slow: Option<(usize, Instant)>,
}

impl Paces for Runner<'_> {
    fn begin(&mut self, number: usize, pace: &Pace) -> bool {
        if pace.is_slow() {
            if self.me.leads.load(Ordering::Relaxed) {
                return false;
            }
            send(self.socket, &mut self.me.out());
            self.slow = Some((number, Instant::now()));
        }
        self.me.running.store(number, Ordering::Relaxed);
        true
    }

    fn end(&mut self) {
        self.me.running.store(IDLE, Ordering::Relaxed);
        if let Some((number, since)) = self.slow.take()
            && let Some(pace) = self.core.shared.router.pace(number)
        {
            pace.learn(since.elapsed());
        }
    }
}

impl Core {
    /// Serves a connection for a while.
    pub(super) fn turn(
        self: &Arc<Self>,
        me: &Arc<Worker>,
        kit: &mut Kit,
        conn: &mut Conn,
        seen: Seen,
    ) -> Fate {
        me.turn.store(me.turn.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        me.beat();
        me.tired.store(false, Ordering::Relaxed);
        conn.readable |= seen.readable;
        conn.ended |= seen.ended;
        let fate = if seen.late && conn.deadline.is_some_and(|at| at <= Instant::now()) {
            if let Some(refusal) = conn.protocol.refusal() {
                encode::reply(refusal, Protocol::Resp2, &mut conn.out);
                send(&conn.socket, &mut conn.out);
            }
            Fate::Close
        } else {
            self.go_on(me, kit, conn)
        };
        if fate != Fate::Close && !conn.registered {
            let data = EventData::new_u64(conn.data);
            if epoll::add(&self.epoll, &conn.socket, data, interest(conn)).is_err() {
                return Fate::Close;
            }
            conn.registered = true;
        }
        fate
    }

    fn go_on(self: &Arc<Self>, me: &Arc<Worker>, kit: &mut Kit, conn: &mut Conn) -> Fate {
        if conn.must_be_heard() && !self.send_parked(conn) {
            return if conn.must_be_heard() { Fate::Park } else { Fate::Close };
        }
        loop {
            match conn.closing {
                Closing::No => {}
                Closing::Flushing if conn.gone => return Fate::Close,
                Closing::Flushing => {
                    if !conn.ended {
                        let _ = rustix::net::shutdown(&conn.socket, Shutdown::Write);
                    }
                    conn.closing = Closing::Draining(DRAIN_BYTES);
                    conn.deadline = Some(Instant::now() + DRAIN_DEADLINE);
                    continue;
                }
                Closing::Draining(left) => return drain(kit, conn, left),
            }
            let mut fresh = 0;
            if conn.wants {
                match read(kit, conn) {
                    Ok(None) => {
                        conn.input.shrink_to(conn.input.len() * 2);
                        return Fate::Park;
                    }
                    Ok(Some(0)) => {
                        conn.gone = true;
                        conn.closing = Closing::Flushing;
                        if let Some(reply) = conn.protocol.end_of_input(&conn.input) {
                            encode::reply(reply, conn.protocol.protocol(), &mut me.out());
                            if !self.flush(me, conn) {
                                return Fate::Park;
                            }
                        }
                        // Nothing is left to read.
                        return Fate::Close;
                    }
                    Ok(Some(n)) => fresh = n,
                    Err(_) => return Fate::Close,
                }
            }
            let stop = self.consume(me, kit, conn, fresh);
            conn.wants = stop == Stop::Wants;
            if stop == Stop::Ends {
                conn.closing = Closing::Flushing;
            }
            if stop == Stop::Broken {
                me.out().clear();
                return Fate::Close;
            }
            if !self.flush(me, conn) {
                return Fate::Park;
            }
            match stop {
                Stop::Tired => return Fate::Again,
                Stop::Later => return Fate::Later,
                // Others had no turn since this one began, and the server may be told to stop.
                Stop::Wants if conn.readable => return Fate::Again,
                Stop::Wants | Stop::Ends | Stop::Blocked | Stop::Broken => {}
            }
        }
    }

    /// Runs the commands in what was read; keeps what is left of it.
    fn consume(
        self: &Arc<Self>,
        me: &Arc<Worker>,
        kit: &mut Kit,
        conn: &mut Conn,
        fresh: usize,
    ) -> Stop {
        if conn.input.is_empty() {
            let bytes = &kit.input[..fresh];
            let (used, stop) = self.commands(me, &mut kit.scratch, &mut kit.ran, conn, bytes);
            conn.input.extend_from_slice(&bytes[used..]);
            return stop;
        }
        let mut bytes = std::mem::take(&mut conn.input);
        let (used, stop) = self.commands(me, &mut kit.scratch, &mut kit.ran, conn, &bytes);
        if used < bytes.len() {
            bytes.drain(..used);
            conn.input = bytes;
        }
        stop
    }

    fn commands(
        self: &Arc<Self>,
        me: &Arc<Worker>,
        scratch: &mut Scratch,
        ran: &mut u64,
        conn: &mut Conn,
        bytes: &[u8],
    ) -> (usize, Stop) {
        let mut runner = Runner { core: self, me, socket: &conn.socket, slow: None };
        let (mut used, mut waiting) = (0, 0);
        let stop = loop {
            // A thread that doesn't lead is not watched: an answer must not wait for the next
            // command.
            if waiting > 0 && (waiting >= FLUSH || !me.leads.load(Ordering::Relaxed)) {
                let mut out = me.out();
                if !send(&conn.socket, &mut out) {
                    break Stop::Broken;
                }
                waiting = out.len();
                if waiting > 0 {
                    break Stop::Blocked;
                }
            }
            if me.tired.load(Ordering::Relaxed) && me.leads.load(Ordering::Relaxed) {
                break Stop::Tired;
            }
            me.beat();
            match conn.protocol.step(&self.shared, &bytes[used..], scratch, &mut runner) {
                Step::Wants(n) => {
                    used += n;
                    break Stop::Wants;
                }
                Step::Later => break Stop::Later,
                Step::Answer { used: n, reply, ends } => {
                    used += n;
                    *ran += 1;
                    let mut out = me.out();
                    encode::reply(reply, conn.protocol.protocol(), &mut out);
                    waiting = out.len();
                    if ends {
                        break Stop::Ends;
                    }
                    if used == bytes.len() {
                        break Stop::Wants;
                    }
                }
            }
        };
        (used, stop)
    }

    /// Sends the answers of this turn. False if some could not be sent: they are parked.
    fn flush(&self, me: &Worker, conn: &mut Conn) -> bool {
        let mut out = me.out();
        if out.is_empty() {
            return true;
        }
        if !send(&conn.socket, &mut out) {
            // The client is gone, and with it everybody who wants the answers.
            out.clear();
            conn.closing = Closing::Flushing;
            conn.gone = true;
            return true;
        }
        if out.is_empty() {
            if out.capacity() > KEEP {
                *out = Vec::new();
            }
            return true;
        }
        conn.out = std::mem::take(&mut out);
        drop(out);
        self.wait_to_write(conn);
        false
    }

    #[cold]
    fn wait_to_write(&self, conn: &mut Conn) {
        conn.deadline = Some(Instant::now() + WRITE_DEADLINE);
        self.update(conn);
    }

    /// Sends what was parked. True if all of it is sent.
    #[cold]
    fn send_parked(&self, conn: &mut Conn) -> bool {
        let before = conn.out.len();
        if !send(&conn.socket, &mut conn.out) {
            conn.out.clear();
            return false;
        }
        if !conn.out.is_empty() {
            if conn.out.len() < before {
                conn.deadline = Some(Instant::now() + WRITE_DEADLINE);
            }
            return false;
        }
        conn.out = Vec::new();
        conn.deadline = None;
        self.update(conn);
        true
    }

    /// Tells the kernel whether the connection waits to write.
    fn update(&self, conn: &Conn) {
        if conn.registered {
            let data = EventData::new_u64(conn.data);
            // It is in the set, and the kernel needs no memory for a change.
            let _ = epoll::modify(&self.epoll, &conn.socket, data, interest(conn));
        }
    }
}

/// What a connection waits for. Always to be told that a socket can be written to would mean an
/// event for each answer that the client reads.
fn interest(conn: &Conn) -> EventFlags {
    let always = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
    if conn.must_be_heard() { always | EventFlags::OUT } else { always }
}

/// Reads once. What the connection has is copied in front if it is short; then the bytes are in the
/// thread's buffer, and this many. None if there is nothing now, 0 at the end.
fn read(kit: &mut Kit, conn: &mut Conn) -> Result<Option<usize>, Errno> {
    let tail = conn.input.len();
    let is_short = tail <= READ / 2;
    while conn.readable {
        let (room, result) = if is_short {
            kit.input[..tail].copy_from_slice(&conn.input);
            let buffer = &mut kit.input[tail..];
            let room = buffer.len();
            (room, rustix::net::recv(&conn.socket, buffer, RecvFlags::DONTWAIT).map(|(_, n)| n))
        } else {
            conn.input.reserve(tail);
            let room = conn.input.capacity() - tail;
            let spare = rustix::buffer::spare_capacity(&mut conn.input);
            (room, rustix::net::recv(&conn.socket, spare, RecvFlags::DONTWAIT).map(|(_, n)| n))
        };
        match result {
            Ok(n) => {
                // epoll(7): a short read has emptied a stream. Not so if the end is behind it,
                // which may have been told together with the bytes.
                conn.readable = n == room || conn.ended;
                if n > 0 && is_short {
                    conn.input.clear();
                    return Ok(Some(tail + n));
                }
                return Ok(Some(n));
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => conn.readable = false,
            Err(errno) => return Err(errno),
        }
    }
    Ok(None)
}

/// Reads away what the client still sends. Closing with unread input would give the client its
/// answer and then ECONNRESET.
fn drain(kit: &mut Kit, conn: &mut Conn, mut left: usize) -> Fate {
    conn.input = Vec::new();
    loop {
        match read(kit, conn) {
            Ok(Some(n)) if n > 0 && n < left => left -= n,
            Ok(None) => {
                conn.closing = Closing::Draining(left);
                return Fate::Park;
            }
            Ok(Some(_)) | Err(_) => return Fate::Close,
        }
    }
}
