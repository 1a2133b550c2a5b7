//! One turn of one connection: read, run what is whole, send.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};

use super::hub::{Fate, Seen};
use super::run::{Run, SIGN_OF_LIFE};
use super::user::Users;
use super::worker::Worker;
use super::{Core, Kit, READ, stop, user};
use crate::buffer::Buffer;
use crate::commands::{Runnable, Speed};
use crate::config::{PerUser, Times};
use crate::dispatch::{Begin, Conversation, Executor, Step};
use crate::error::{Failure, code};
use crate::param::Scratch;
use crate::wire::{Protocol, encode};

/// A connection with its socket. At rest it is this and nothing else: buffers that are empty take no
/// memory.
pub(super) struct Conn {
    socket: Arc<OwnedFd>,
    /// What its events carry.
    data: u64,
    conversation: Conversation,
    /// What was read and not used up.
    input: Buffer,
    /// What the socket didn't take.
    out: Vec<u8>,
    deadline: Option<Deadline>,
    /// What its next slow command is answered.
    denied: Option<Failure>,
    /// So many of its bytes count as its user's.
    held: usize,
    /// More waits in it than may.
    excess: bool,
    /// Since when its command waits for a thread, if its client is to be told.
    waits_since: Option<Instant>,
    /// A command has been read since the deadline was set.
    progressed: bool,
    /// The socket has bytes, as far as is known.
    readable: bool,
    /// More input is needed before anything can be done.
    wants: bool,
    /// The client has ended its side; there may still be bytes in front of the end.
    ended: bool,
    /// Nobody is there who could send more.
    gone: bool,
    registered: bool,
    /// It is one of those that are served.
    counts: bool,
    /// The server stops: so many bytes are still taken for commands that came in time.
    ending: Option<u64>,
    closing: Closing,
}

/// When a connection has waited for too long, and for what.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Deadline {
    at: Instant,
    due: Due,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    /// To be told that it is turned away, in the way that its first byte says.
    Refusal,
    /// The rest of a command.
    Command,
    /// A command, after the last answer.
    Anything,
    /// A thread for a command that is slow.
    Thread,
    /// That the client takes its answer.
    Taken,
    /// The client's end.
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    /// When the last answer is sent.
    Flushing,
    /// What the client still sends is read away, so many bytes at most.
    Draining(usize),
}

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
    pub(super) fn new(socket: OwnedFd, conversation: Conversation, data: u64) -> Self {
        let refused = conversation.refusal().is_some();
        let refusal = || Deadline { at: Instant::now() + REFUSED_DEADLINE, due: Due::Refusal };
        Self {
            socket: Arc::new(socket),
            data,
            conversation,
            input: Buffer::default(),
            out: Vec::new(),
            deadline: refused.then(refusal),
            denied: None,
            held: 0,
            excess: false,
            waits_since: None,
            progressed: false,
            readable: false,
            wants: true,
            ended: false,
            gone: false,
            registered: false,
            counts: !refused,
            ending: None,
            closing: Closing::No,
        }
    }

    pub(super) fn socket(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.socket)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline.map(|deadline| deadline.at)
    }

    /// Whether an answer is on its way.
    pub(super) fn must_be_heard(&self) -> bool {
        !self.out.is_empty()
    }

    /// Whether it is one of those that are served.
    pub(super) fn counts(&self) -> bool {
        self.counts
    }

    pub(super) fn uid(&self) -> u32 {
        self.conversation.uid()
    }

    /// Its slow command is answered so, in its next turn.
    pub(super) fn deny(&mut self, failure: Failure) {
        self.denied = Some(failure);
    }

    /// Counts the bytes that wait in it as its user's. True if they are too many.
    pub(super) fn holds_too_much(&mut self, users: &mut Users, limits: &PerUser) -> bool {
        if limits.bytes.is_none() {
            return false;
        }
        // What is counted is what waits; the memory for it may be twice as much, and no more.
        self.input.shrink_to(self.input.len() * 2);
        self.out.shrink_to(self.out.len() * 2);
        let now = self.input.len() + self.out.len();
        let before = std::mem::replace(&mut self.held, now);
        self.excess = !users.hold(self.uid(), before, now, limits);
        self.excess
    }

    /// At its end.
    pub(super) fn let_go(&mut self, users: &mut Users, limits: &PerUser) {
        users.hold(self.uid(), self.held, 0, limits);
    }

    /// The server stops: what has arrived is still answered.
    #[cold]
    pub(super) fn begin_to_end(&mut self) {
        if self.ending.is_none() {
            self.ending = Some(rustix::io::ioctl_fionread(&self.socket).unwrap_or(0));
            self.readable = true;
        }
    }

    /// While its command waits for a thread: says so, and gives the time when this is to be looked at
    /// again. None if it has waited for long enough.
    #[cold]
    pub(super) fn wait_for_thread(&mut self, now: Instant) -> Option<Instant> {
        let until = self.deadline.filter(|deadline| deadline.at > now)?;
        if self.conversation.protocol() != Protocol::Resp3 {
            return Some(until.at);
        }
        if let Some(since) = self.waits_since.map(|since| now - since)
            && since >= SIGN_OF_LIFE
            && self.out.is_empty()
        {
            encode::sign_of_life("waiting", since, &mut self.out);
            send(&self.socket, &mut self.out);
        }
        self.waits_since.get_or_insert(now);
        Some(until.at.min(now + SIGN_OF_LIFE))
    }

    /// Sets how long it may wait for what it waits for.
    fn wait(&mut self, times: &Times) {
        let progressed = std::mem::take(&mut self.progressed);
        let (due, limit) = if self.must_be_heard() {
            (Due::Taken, times.write)
        } else if self.closing != Closing::No || !self.counts {
            // Set when it began.
            return;
        } else if self.wants && self.conversation.is_inside(&self.input) {
            (Due::Command, times.arrival)
        } else {
            (Due::Anything, times.idle)
        };
        let goes_on = due != Due::Anything && !(due == Due::Command && progressed);
        if goes_on && self.deadline.is_some_and(|deadline| deadline.due == due) {
            return;
        }
        self.deadline = limit.map(|limit| Deadline { at: Instant::now() + limit, due });
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

/// Asked by dispatch before it runs a command.
struct Runner<'a> {
    core: &'a Arc<Core>,
    me: &'a Arc<Worker>,
    socket: &'a OwnedFd,
    slow: Option<(Runnable, Instant)>,
    /// What the next slow command is answered.
    denied: Option<Failure>,
}

impl Executor for Runner<'_> {
    fn begin(&mut self, what: Runnable, speed: &Speed, protocol: Protocol) -> Begin {
        if self.core.is_over.load(Ordering::Relaxed) {
            return Begin::Never(stop::too_late());
        }
        let leads = self.me.leads();
        let is_slow = speed.is_slow();
        if is_slow && leads {
            return self.denied.take().map_or(Begin::Later, Begin::Never);
        }
        self.me.begin(what, protocol);
        if !leads && let Err(failure) = self.begin_to_last(what, is_slow) {
            self.me.end();
            return Begin::Never(failure);
        }
        Begin::Now
    }

    fn end(&mut self) {
        self.me.end();
        if let Some((what, since)) = self.slow.take() {
            self.core.service.table.speed(what).ran_for(since.elapsed());
        }
        let per_user = &self.core.service.config.per_user;
        // Before the answer is sent: who has it may run the next one at once.
        if per_user.running.is_some() && !self.me.leads() {
            self.core.lock().end_run(self.me.slot(), per_user);
        }
    }
}

impl Runner<'_> {
    /// Nobody watches this thread: what may last is noted here. An error if there are too many of
    /// these.
    fn begin_to_last(&mut self, what: Runnable, is_slow: bool) -> Result<(), Failure> {
        let since = Instant::now();
        if is_slow {
            send(self.socket, &mut self.me.outbox().bytes);
        }
        let run = Run::new(self.me, self.me.step(), since);
        let index = self.me.slot();
        let look = self.core.first_look(since);
        let (mut hub, per_user) = (self.core.lock(), &self.core.service.config.per_user);
        if is_slow {
            // It was counted if it came by way of the leader, and not if this thread has just lost
            // the lead.
            hub.begin_run(index, per_user)?;
            self.slow = Some((what, since));
        } else {
            hub.count_run(index, per_user);
        }
        if hub.note_run(index, run, Some(look)) {
            self.core.ring(&hub);
        }
        Ok(())
    }
}

#[cold]
fn busy(core: &Core) -> Failure {
    let (most, waited) = (core.max_threads, core.service.config.times.busy);
    let why =
        format_args!("no thread was free for {waited:?} (of {most}); the command was not run");
    Failure::new(code::BUSY, why)
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
        me.begin_turn();
        conn.readable |= seen.readable;
        conn.ended |= seen.ended;
        let late =
            if seen.late { conn.deadline.filter(|due| due.at <= Instant::now()) } else { None };
        let fate = match late {
            None if conn.excess => {
                conn.excess = false;
                self.finish(me, kit, conn, &user::too_much(&self.service.config.per_user))
            }
            None => self.go_on(me, kit, conn),
            Some(deadline) => self.late(me, kit, conn, deadline.due),
        };
        let fate = match fate {
            Fate::Park if conn.ending.is_some() && !conn.must_be_heard() => {
                let told = self.end(me, kit, conn);
                // The client's end is not waited for.
                if conn.must_be_heard() { told } else { Fate::Close }
            }
            fate => fate,
        };
        kit.scratch.shrink();
        match fate {
            Fate::Park => conn.wait(&self.service.config.times),
            Fate::Later => {
                let at = Instant::now() + self.service.config.times.busy;
                conn.deadline = Some(Deadline { at, due: Due::Thread });
                conn.waits_since = None;
            }
            Fate::Again | Fate::Close => {}
        }
        if fate != Fate::Close && !conn.registered {
            let data = EventData::new_u64(conn.data);
            if epoll::add(&self.epoll, &conn.socket, data, interest(conn)).is_err() {
                return Self::unwatched(conn);
            }
            conn.registered = true;
        }
        fate
    }

    /// The system has no room to tell us of this connection, `epoll_ctl(2)`.
    #[cold]
    fn unwatched(conn: &mut Conn) -> Fate {
        let why = "the system can't watch another connection; try again";
        let failure = Failure::new(code::BUSY, why);
        encode::failure(&failure, conn.conversation.protocol(), &mut conn.out);
        send(&conn.socket, &mut conn.out);
        Fate::Close
    }

    /// A panic in our own code: a mistake of ours, which ends one connection and no thread.
    #[cold]
    pub(super) fn broken(me: &Worker, conn: &mut Conn) -> Fate {
        me.end();
        let mut out = me.outbox();
        out.answered = false;
        let failure = Failure::new(code::PANIC, "dockipc itself failed; please report it");
        encode::failure(&failure, conn.conversation.protocol(), &mut out.bytes);
        send(&conn.socket, &mut out.bytes);
        out.bytes.clear();
        Fate::Close
    }

    /// Something did not come in time.
    #[cold]
    fn late(self: &Arc<Self>, me: &Arc<Worker>, kit: &mut Kit, conn: &mut Conn, due: Due) -> Fate {
        conn.deadline = None;
        let times = &self.service.config.times;
        let failure = match due {
            Due::Taken | Due::End => return Fate::Close,
            Due::Thread => {
                conn.denied = Some(busy(self));
                return self.go_on(me, kit, conn);
            }
            Due::Refusal => return self.end(me, kit, conn),
            Due::Command => {
                let limit = times.arrival.unwrap_or_default();
                format!("the command was not whole after {limit:?}; nothing was run")
            }
            // Who speaks RESP would take it for the answer to the next command.
            Due::Anything if conn.conversation.protocol() != Protocol::Line => return Fate::Close,
            Due::Anything => {
                let limit = times.idle.unwrap_or_default();
                format!("no command within {limit:?}")
            }
        };
        self.finish(me, kit, conn, &Failure::new(code::TIMEOUT, failure))
    }

    /// The server stops, or the client is turned away, and nothing more is read: it is told so if it
    /// waits for an answer.
    #[cold]
    fn end(self: &Arc<Self>, me: &Arc<Worker>, kit: &mut Kit, conn: &mut Conn) -> Fate {
        if conn.closing != Closing::No {
            return Fate::Close;
        }
        match conn.conversation.refusal() {
            Some(refusal) if !conn.counts => {
                let refusal = refusal.clone();
                self.finish(me, kit, conn, &refusal)
            }
            _ if conn.conversation.is_inside(&conn.input) => {
                self.finish(me, kit, conn, &stop::too_late())
            }
            _ => Fate::Close,
        }
    }

    /// Answers for the last time.
    fn finish(
        self: &Arc<Self>,
        me: &Arc<Worker>,
        kit: &mut Kit,
        conn: &mut Conn,
        failure: &Failure,
    ) -> Fate {
        encode::failure(failure, conn.conversation.protocol(), &mut me.outbox().bytes);
        conn.input = Buffer::default();
        conn.wants = false;
        conn.closing = Closing::Flushing;
        if self.flush(me, conn) { self.go_on(me, kit, conn) } else { Fate::Park }
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
                    let at = Instant::now() + DRAIN_DEADLINE;
                    conn.deadline = Some(Deadline { at, due: Due::End });
                    continue;
                }
                Closing::Draining(left) => return drain(kit, conn, left),
            }
            let mut fresh = 0;
            if conn.wants {
                if conn.ending == Some(0) {
                    conn.conversation.refuse(stop::too_late());
                }
                match read(kit, conn) {
                    Ok(None) => {
                        conn.input.shrink_to(conn.input.len() * 2);
                        return Fate::Park;
                    }
                    Ok(Some(0)) => {
                        conn.gone = true;
                        conn.closing = Closing::Flushing;
                        if let Some(reply) = conn.conversation.end_of_input(&conn.input) {
                            encode::reply(
                                reply,
                                conn.conversation.protocol(),
                                &mut me.outbox().bytes,
                            );
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
                me.outbox().bytes = Vec::new();
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
        let Kit { scratch, ran, .. } = kit;
        if conn.input.is_empty() {
            let bytes = &kit.input[..fresh];
            let (used, stop) = self.commands(me, (scratch, ran), conn, bytes);
            conn.input.extend_from_slice(&bytes[used..]);
            return stop;
        }
        let mut bytes = std::mem::take(&mut conn.input);
        let (used, stop) = self.commands(me, (scratch, ran), conn, &bytes);
        if used < bytes.len() {
            bytes.consume(used);
            conn.input = bytes;
        }
        stop
    }

    fn commands(
        self: &Arc<Self>,
        me: &Arc<Worker>,
        (scratch, ran): (&mut Scratch, &mut u64),
        conn: &mut Conn,
        bytes: &[u8],
    ) -> (usize, Stop) {
        let denied = conn.denied.take();
        let mut runner = Runner { core: self, me, socket: &conn.socket, slow: None, denied };
        let (mut used, mut waiting) = (0, 0);
        let stop = loop {
            // A thread that doesn't lead is not watched: an answer must not wait for the next
            // command.
            if waiting > 0 && (waiting >= FLUSH || !me.leads()) {
                let out = &mut me.outbox().bytes;
                if !send(&conn.socket, out) {
                    break Stop::Broken;
                }
                waiting = out.len();
                if waiting > 0 {
                    break Stop::Blocked;
                }
            }
            if me.should_yield() && me.leads() {
                break Stop::Tired;
            }
            me.begin_step();
            match conn.conversation.step(&self.service, &bytes[used..], scratch, &mut runner) {
                Step::NeedsInput(n) => {
                    used += n;
                    break Stop::Wants;
                }
                Step::Later => break Stop::Later,
                Step::Answer { used: n, reply, last } => {
                    used += n;
                    *ran += 1;
                    conn.progressed = true;
                    let mut out = me.outbox();
                    if !std::mem::take(&mut out.answered) {
                        encode::reply(reply, conn.conversation.protocol(), &mut out.bytes);
                    }
                    waiting = out.bytes.len();
                    if last {
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

    /// What was used no longer waits. Who has the answer to it may send as much again at once.
    fn give_back(&self, conn: &mut Conn) {
        let now = conn.input.len();
        if now < conn.held {
            let before = std::mem::replace(&mut conn.held, now);
            self.lock().users.hold(conn.uid(), before, now, &self.service.config.per_user);
        }
    }

    /// Sends the answers of this turn. False if some could not be sent: they are parked.
    fn flush(&self, me: &Worker, conn: &mut Conn) -> bool {
        self.give_back(conn);
        let out = &mut me.outbox().bytes;
        if !send(&conn.socket, out) {
            // The client is gone, and with it everybody who wants the answers.
            out.clear();
            conn.closing = Closing::Flushing;
            conn.gone = true;
        }
        if out.is_empty() {
            if out.capacity() > KEEP {
                *out = Vec::new();
            }
            return true;
        }
        conn.out = std::mem::take(out);
        self.update(conn);
        false
    }

    /// Sends what was parked. True if all of it is sent.
    #[cold]
    fn send_parked(&self, conn: &mut Conn) -> bool {
        if !send(&conn.socket, &mut conn.out) {
            conn.out.clear();
            return false;
        }
        if !conn.out.is_empty() {
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
            kit.fill(tail);
            let buffer = &mut kit.input[tail..];
            let room = buffer.len();
            (room, rustix::net::recv(&conn.socket, buffer, RecvFlags::DONTWAIT).map(|(_, n)| n))
        } else {
            conn.input.reserve(tail);
            let room = conn.input.capacity() - tail;
            let spare = rustix::buffer::spare_capacity(conn.input.as_vec());
            (room, rustix::net::recv(&conn.socket, spare, RecvFlags::DONTWAIT).map(|(_, n)| n))
        };
        match result {
            Ok(n) => {
                if let Some(left) = &mut conn.ending {
                    *left = left.saturating_sub(n as u64);
                }
                // epoll(7): a short read has emptied a stream. Not so if the end is behind it,
                // which may have been told together with the bytes.
                conn.readable = n == room || conn.ended;
                if n > 0 && is_short {
                    kit.fill(tail + n);
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
    conn.input = Buffer::default();
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
