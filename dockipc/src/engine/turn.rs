//! One turn of one connection: read, run what is whole, send.

use std::sync::Arc;
use std::time::Instant;

use rustix::net::Shutdown;

use super::awaited::Awaited;
use super::connection::Conn;
use super::core::Core;
use super::deadline::{Deadline, Due};
use super::executor::{Parts, TurnExecutor};
use super::input::{self, Memory, Read};
use super::output::{Sent, send};
use super::phase::Phase;
use super::readiness::Readiness;
use super::sync::MutexGuard;
use super::users;
use super::worker::{Outbox, Worker};
use crate::commands::Cost;
use crate::dispatch::Step;
use crate::error::{Failure, code};
use crate::param::Scratch;
use crate::text::time::units;
use crate::wire::{Outgoing, Protocol, encode};

/// The step that follows a connection's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// To wait for its socket.
    Wait,
    /// Another turn, after the other connections had theirs.
    Again,
    /// A thread that does not lead, since its command is slow.
    HandOver,
    Close,
}

impl Next {
    /// The step after answers were sent, if nothing else is to be done.
    pub(super) fn after(sent: Sent) -> Self {
        match sent {
            Sent::Full => Self::Wait,
            Sent::Part => Self::Again,
            Sent::All | Sent::Broken => Self::Close,
        }
    }
}

/// Why no further command of the input at hand is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    NeedsInput,
    /// Other connections wait.
    Yielded,
    /// The socket does not take the answers.
    OutputFull,
    /// The next command is slow, and this thread leads.
    Slow,
    /// The command is answered later.
    Awaited,
    /// The last answer of the connection is in the outbox.
    LastAnswer,
    Broken,
}

/// Answers are sent at the latest when there are this many bytes of them.
const FLUSH: usize = 64 * 1024;

impl Core {
    /// Serves a connection for a while.
    pub(super) fn turn(
        self: &Arc<Self>,
        me: &Arc<Worker>,
        memory: &mut Memory,
        conn: &mut Conn,
        readiness: Readiness,
        server_stops: bool,
    ) -> Next {
        me.begin_turn();
        conn.is_readable |= readiness.has(Readiness::READABLE);
        conn.is_half_closed |= readiness.has(Readiness::HALF_CLOSED);
        conn.is_gone |= readiness.has(Readiness::GONE);
        if readiness.has(Readiness::KILLED) || conn.phase == Phase::Closed {
            return Next::Close;
        }
        let expired = if readiness.has(Readiness::EXPIRED) {
            conn.deadline.filter(|due| due.at <= Instant::now())
        } else {
            None
        };
        let mut next = match expired {
            Some(deadline) => self.expire(me, memory, conn, deadline.due),
            None if std::mem::take(&mut conn.is_over_quota) => {
                if let Some(awaited) = &mut conn.awaited {
                    awaited.give_up(me);
                }
                let failure = users::over_quota(&self.service.config.per_user);
                self.finish(me, memory, conn, &failure)
            }
            None => self.advance(me, memory, conn),
        };
        if next == Next::Wait
            && server_stops
            && conn.awaited.is_none()
            && !conn.has_pending_output()
            && !self.keeps_listening(conn)
        {
            // A server that stops does not wait for the client's next command or its end.
            next = self.end(me, memory, conn);
            if !conn.has_pending_output() {
                next = Next::Close;
            }
        }
        if conn.conversation.takes_stop() {
            self.stop(self.service.config.times.shutdown);
        }
        match next {
            Next::Wait => conn.set_deadline(&self.service.config),
            // Its deadline for the next command no longer holds.
            Next::Again if conn.has_pending_output() => conn.set_deadline(&self.service.config),
            Next::HandOver if conn.waits_aside => {}
            Next::HandOver => conn.begin_to_wait(&self.service.config.times),
            Next::Again | Next::Close => {}
        }
        if next != Next::Close && !conn.is_registered && !self.register(conn) {
            let why = "the system can't watch another connection; try again";
            Self::answer_at_once(conn, &Failure::new(code::BUSY, why));
            return Next::Close;
        }
        next
    }

    /// After a panic in dockipc itself, which ends one connection and no thread.
    #[cold]
    pub(super) fn recover(me: &Worker, conn: &mut Conn) -> Next {
        me.end();
        let mut outbox = me.outbox();
        outbox.answered = false;
        conn.output.get_or_insert_default().append(&mut outbox.bytes);
        let failure = Failure::new(code::PANIC, "dockipc itself failed; please report it");
        Self::answer_at_once(conn, &failure);
        Next::Close
    }

    /// Sends a last answer without waiting for the client to read it.
    #[cold]
    fn answer_at_once(conn: &mut Conn, failure: &Failure) {
        let queue = conn.output.get_or_insert_default();
        encode::failure(failure, conn.conversation.protocol(), queue.tail());
        send(&conn.socket, queue);
    }

    /// The connection has waited for too long.
    #[cold]
    fn expire(
        self: &Arc<Self>,
        me: &Arc<Worker>,
        memory: &mut Memory,
        conn: &mut Conn,
        due: Due,
    ) -> Next {
        conn.deadline = None;
        let times = &self.service.config.times;
        let why = match due {
            Due::Reading | Due::End => return Next::Close,
            Due::Thread => {
                conn.denied = Some(self.busy(true));
                return self.advance(me, memory, conn);
            }
            Due::Decision => {
                conn.phase.leave();
                return self.advance(me, memory, conn);
            }
            Due::Protocol => return self.end(me, memory, conn),
            Due::Answer => return self.advance(me, memory, conn),
            Due::Command => {
                let limit = times.arrival.unwrap_or_default();
                format!("the command was not whole after {}; nothing was run", units(limit))
            }
            // A client that speaks RESP would take it for the answer to its next command.
            Due::NextCommand if conn.conversation.protocol() != Protocol::Line => {
                return Next::Close;
            }
            Due::NextCommand => {
                let limit = times.idle.unwrap_or_default();
                format!("no command within {}", units(limit))
            }
        };
        self.finish(me, memory, conn, &Failure::new(code::TIMEOUT, why))
    }

    #[cold]
    pub(super) fn busy(&self, was_not_run: bool) -> Failure {
        let (most, waited) = (self.max_threads, units(self.service.config.times.busy));
        let what = if was_not_run { "the command was not run" } else { "there is no item" };
        let why = format!("no thread was free for {waited} (of {most}); {what}");
        Failure::new(code::BUSY, why)
    }

    /// Nothing more is read, since the server stops or the client is turned away. A client that waits
    /// for an answer gets a last one.
    #[cold]
    fn end(self: &Arc<Self>, me: &Arc<Worker>, memory: &mut Memory, conn: &mut Conn) -> Next {
        if !conn.phase.reads_commands() {
            return Next::Close;
        }
        match conn.conversation.refusal().cloned() {
            Some(refusal) if !conn.is_admitted => self.finish(me, memory, conn, &refusal),
            _ if conn.conversation.is_inside(&conn.input) => {
                self.finish(me, memory, conn, &Failure::not_run())
            }
            _ => Next::Close,
        }
    }

    /// Gives the last answer.
    pub(super) fn finish(
        self: &Arc<Self>,
        me: &Arc<Worker>,
        memory: &mut Memory,
        conn: &mut Conn,
        failure: &Failure,
    ) -> Next {
        encode::failure(failure, conn.conversation.protocol(), me.outbox().bytes.tail());
        conn.input.clear();
        conn.conversation.discard();
        conn.needs_input = false;
        conn.phase.finish(false);
        self.flush_and_advance(me, memory, conn)
    }

    fn flush_and_advance(
        self: &Arc<Self>,
        me: &Arc<Worker>,
        memory: &mut Memory,
        conn: &mut Conn,
    ) -> Next {
        match self.flush(me, conn) {
            Sent::All => self.advance(me, memory, conn),
            sent => Next::after(sent),
        }
    }

    /// Does what can be done in the connection's phase, until it has to wait or others have to be
    /// served.
    fn advance(self: &Arc<Self>, me: &Arc<Worker>, memory: &mut Memory, conn: &mut Conn) -> Next {
        if conn.has_pending_output() {
            match self.flush_pending(conn) {
                Sent::All => {}
                sent => {
                    self.look_while_sending(conn);
                    return Next::after(sent);
                }
            }
        }
        if conn.conversation.is_subscribed()
            && let Some(listening) = self.listening()
            && let Some(next) = (listening.send)(self, me, conn)
        {
            return next;
        }
        loop {
            match conn.phase {
                Phase::Open | Phase::Stopping { .. } if conn.awaited.is_some() => {
                    if let Some(next) = self.await_answer(me, memory, conn) {
                        return next;
                    }
                }
                Phase::Open | Phase::Stopping { .. } => {
                    if let Some(next) = self.read_and_run(me, memory, conn) {
                        return next;
                    }
                }
                Phase::Offered { .. } | Phase::Taken => {
                    // Without a taker no connection is in these phases.
                    let Some(taker) = &self.taker else { return Next::Close };
                    if let Some(next) = taker.advance(self, me, memory, conn) {
                        return next;
                    }
                }
                Phase::Flushing { .. } => {
                    if conn.phase.flushed() {
                        if !conn.is_half_closed {
                            let _ = rustix::net::shutdown(&conn.socket, Shutdown::Write);
                        }
                        conn.deadline = Deadline::new(Due::End, &self.service.config.times);
                    }
                }
                Phase::Draining { .. } => {
                    input::drain(memory, conn);
                    if conn.phase != Phase::Closed {
                        return Next::Wait;
                    }
                }
                Phase::Closed => return Next::Close,
            }
        }
    }

    /// Reads if that is needed, runs the commands that are whole, and sends the answers. None to look
    /// at the phase again.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it is in each turn, and measured")]
    fn read_and_run(
        self: &Arc<Self>,
        me: &Arc<Worker>,
        memory: &mut Memory,
        conn: &mut Conn,
    ) -> Option<Next> {
        let mut in_buffer = 0;
        if conn.needs_input {
            if conn.phase.has_read_what_had_arrived() {
                conn.conversation.refuse(Failure::not_run());
            }
            match input::read(memory, conn) {
                Ok(Read::Nothing) => {
                    conn.shrink();
                    return Some(Next::Wait);
                }
                Ok(Read::End) => return Some(self.end_of_input(me, conn)),
                Ok(Read::InBuffer(n)) => in_buffer = n,
                Ok(Read::Appended) => {}
                Err(_) => return Some(Next::Close),
            }
        }
        let (pause, held) = self.consume(me, memory, conn, in_buffer);
        conn.needs_input = pause == Pause::NeedsInput;
        match pause {
            Pause::Broken => {
                me.outbox().bytes = Outgoing::default();
                return Some(Next::Close);
            }
            Pause::LastAnswer => conn.phase.finish(false),
            _ => {}
        }
        let sent = match held {
            Some(mut outbox) if conn.charged == 0 => self.flush_outbox(&mut outbox, conn),
            // Invariant: with the outbox locked, the hub is not, which what is charged is given back to.
            held => {
                drop(held);
                self.flush(me, conn)
            }
        };
        match sent {
            Sent::All => {}
            sent => return Some(Next::after(sent)),
        }
        match pause {
            Pause::Yielded => Some(Next::Again),
            Pause::Slow => Some(Next::HandOver),
            // Others had no turn since this one began, and the server may have been told to stop.
            Pause::NeedsInput if conn.is_readable => Some(Next::Again),
            Pause::NeedsInput if conn.phase == Phase::Open => {
                if conn.input.capacity() > 0 {
                    conn.shrink();
                }
                Some(Next::Wait)
            }
            Pause::NeedsInput
            | Pause::LastAnswer
            | Pause::OutputFull
            | Pause::Awaited
            | Pause::Broken => None,
        }
    }

    /// The client has ended its side. A command that has begun gets an answer.
    #[cold]
    fn end_of_input(&self, me: &Worker, conn: &mut Conn) -> Next {
        if !conn.is_gone && conn.listens_on_a_line() {
            return Next::Wait;
        }
        conn.phase.finish(true);
        let Some(reply) = conn.conversation.end_of_input(&conn.input) else { return Next::Close };
        encode::reply(reply, conn.conversation.protocol(), &mut me.outbox().bytes);
        Next::after(self.flush(me, conn))
    }

    /// Runs the commands in the input; keeps what is left of it. Returns also the outbox, as `run_commands`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it is in each turn, and measured")]
    fn consume<'w>(
        self: &Arc<Self>,
        me: &'w Arc<Worker>,
        memory: &mut Memory,
        conn: &mut Conn,
        in_buffer: usize,
    ) -> (Pause, Option<MutexGuard<'w, Outbox>>) {
        let Memory { scratch, answered, .. } = memory;
        if conn.input.is_empty() {
            let bytes = &memory.input[..in_buffer];
            let (used, pause, held) = self.run_commands(me, (scratch, answered), conn, bytes);
            if used < bytes.len() {
                conn.input.extend_from_slice(&bytes[used..]);
            }
            return (pause, held);
        }
        let mut bytes = std::mem::take(&mut conn.input);
        let (used, pause, held) = self.run_commands(me, (scratch, answered), conn, &bytes);
        if used < bytes.len() {
            bytes.consume(used);
            conn.input = bytes;
        }
        (pause, held)
    }

    /// Runs commands until one is not whole or something else comes first. Returns how many bytes
    /// were used, and the outbox if it is locked since the last answer: so it is locked once for that answer.
    fn run_commands<'w>(
        self: &Arc<Self>,
        me: &'w Arc<Worker>,
        (scratch, answered): (&mut Scratch, &mut u64),
        conn: &mut Conn,
        bytes: &[u8],
    ) -> (usize, Pause, Option<MutexGuard<'w, Outbox>>) {
        let (denied, last_sign) = (conn.denied.take(), conn.end_wait());
        let parts = Parts {
            socket: &conn.socket,
            token: conn.token,
            is_registered: &mut conn.is_registered,
            is_half_closed: conn.is_half_closed,
            is_gone: conn.is_gone,
            denied,
            cost: conn.cost,
            reads_cpu_time: conn.stay.reads_cpu_time(),
        };
        let mut executor = TurnExecutor::new(self, me, parts, last_sign);
        let (mut used, mut unsent) = (0, 0);
        let mut held = None;
        let mut in_transaction = false;
        let pause = loop {
            // A thread that does not lead is not watched, or seldom: an answer must not wait for the next command.
            // A transaction begins when earlier answers are sent: then it never waits for the client.
            let is_alone = !me.leads() || me.stays();
            if unsent > 0 && (unsent >= FLUSH || in_transaction || is_alone) {
                let outbox = &mut me.outbox().bytes;
                if send(&conn.socket, outbox) == Sent::Broken {
                    break Pause::Broken;
                }
                unsent = outbox.len();
                if unsent > 0 {
                    break Pause::OutputFull;
                }
            }
            if me.should_yield() && me.leads() {
                break Pause::Yielded;
            }
            me.begin_step();
            let signs = conn.conversation.signs();
            me.set_signs(signs);
            if let Some(times) = conn.conversation.execution() {
                executor.sign_of_life(signs, times);
            }
            match conn.conversation.step(&self.service, &bytes[used..], scratch, &mut executor) {
                Step::NeedsInput(n) => {
                    used += n;
                    break Pause::NeedsInput;
                }
                Step::NotNow { used: n } => {
                    used += n;
                    break Pause::Slow;
                }
                Step::Pending { used: n, pending } => {
                    used += n;
                    let awaited = Awaited::new(self, conn.token, pending);
                    conn.awaited = Some(Box::new(awaited));
                    break Pause::Awaited;
                }
                Step::Told { used: n, frames } => {
                    used += n;
                    *answered += u64::from(n > 0);
                    conn.has_progressed = true;
                    if let Some(listening) = self.listening() {
                        unsent = (listening.tell)(me, &frames);
                    }
                    if n > 0 && used == bytes.len() {
                        break Pause::NeedsInput;
                    }
                }
                Step::Continue => {
                    in_transaction = true;
                    let limits = &self.service.config.per_user;
                    if limits.bytes.is_some() {
                        let now = bytes.len() - used + conn.conversation.queued();
                        let before = std::mem::replace(&mut conn.charged, now);
                        let uid = conn.conversation.uid();
                        if !self.lock().users.charge_bytes(uid, before, now, limits) {
                            conn.conversation.end_execution(users::over_quota(limits));
                        }
                    }
                }
                Step::Answer { used: n, reply, last } => {
                    used += n;
                    in_transaction = false;
                    executor.end_command();
                    *answered += 1;
                    conn.has_progressed = true;
                    let mut outbox = me.outbox();
                    if std::mem::take(&mut outbox.answered) {
                        conn.conversation.answered_with_failure();
                    } else {
                        encode::reply(reply, conn.conversation.protocol(), &mut outbox.bytes);
                    }
                    unsent = outbox.bytes.len();
                    if last || used == bytes.len() {
                        held = Some(outbox);
                        break if last { Pause::LastAnswer } else { Pause::NeedsInput };
                    }
                }
            }
        };
        conn.cost = match executor.cost() {
            // A built-in command has no cost.
            Cost::NEW if *answered > 0 => Cost::default(),
            cost => cost,
        };
        conn.stay.note(conn.cost, executor.longest());
        (used, pause, held)
    }
}
