//! A connection whose command is answered later: it waits for the answer and holds no thread.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::body::take_body;
use super::connection::Conn;
use super::core::Core;
use super::input::Memory;
use super::output::Sent;
use super::phase::Phase;
use super::report::{next_report, send_report};
use super::sign_of_life::{next_sign, send_sign};
use super::token::Token;
use super::turn::Next;
use super::worker::Worker;
use crate::config::Times;
use crate::dispatch::{Pending, Service, Step};
use crate::error::{Failure, Stopped, Unfinished, code};
use crate::later::{Bell, Given, Streaming};
use crate::reply::Reply;
use crate::session::Signs;
use crate::text::time::units;
use crate::wire::{Outgoing, Protocol, encode};

/// A command that is answered later.
pub(super) struct Awaited {
    pub(super) pending: Box<Pending>,
    pub(super) bell: Arc<dyn Bell>,
    /// When its client was last told that it runs, or when it began.
    last_sign: Instant,
    /// When the last item of a stream was sent, or when the command began.
    last_item: Instant,
    /// Since when the rest of a body is waited for.
    pub(super) body_since: Instant,
    /// When its progress is looked at next, if its client asked for that.
    next_report: Option<Instant>,
    /// The rest of the frame that tells so. An answer comes after it.
    pub(super) sign: Outgoing,
    /// The answer, while the hooks that see it wait for a thread.
    pub(super) reply: Option<Reply>,
}

/// Wakes a leader for the connection whose answer is there.
struct ConnectionBell {
    core: Weak<Core>,
    token: u64,
}

impl Bell for ConnectionBell {
    fn ring(&self) {
        let Some(core) = self.core.upgrade() else { return };
        if core.is_forked() {
            return;
        }
        let mut hub = core.lock();
        hub.note_answer(Token::from_data(self.token));
        core.wake_leader(&hub);
    }
}

impl Awaited {
    pub(super) fn new(core: &Arc<Core>, token: u64, pending: Box<Pending>) -> Self {
        let since = pending.run.0.since;
        let bell = Arc::new(ConnectionBell { core: Arc::downgrade(core), token });
        let next_report = next_report(&pending.run.0, since);
        let (last_sign, last_item, sign) = (since, since, Outgoing::default());
        let body_since = since;
        Self { pending, bell, last_sign, last_item, body_since, next_report, sign, reply: None }
    }

    fn since(&self) -> Instant {
        self.pending.run.0.since
    }

    /// When the caller waits no longer, unless the command was asked to stop.
    fn caller_waits_until(&self) -> Option<Instant> {
        let run = &self.pending.run.0;
        run.deadline.filter(|_| run.signal.get().is_none())
    }

    /// Whether a job of the command waits for its first thread.
    fn waits_for_thread(&self) -> bool {
        let Pending { items, later, run, .. } = &*self.pending;
        let has_items = items.as_ref().is_some_and(|items| !items.has_begun());
        has_items || run.0.body.is_some() && later.is_queued()
    }

    /// When to look at it next.
    pub(super) fn next_look(&self, times: &Times, signs: Signs) -> Option<Instant> {
        let end = times.run.and_then(|limit| self.last_item.checked_add(limit));
        let sign = next_sign(signs, self.last_sign);
        let busy = self.since().checked_add(times.busy).filter(|_| self.waits_for_thread());
        [end, self.caller_waits_until(), sign, self.next_report, self.body_until(times), busy]
            .into_iter()
            .flatten()
            .min()
    }

    /// Tells the hooks of the answer, or that nobody waits for it any more.
    pub(super) fn tell_end(&self, service: &Service, protocol: Protocol) {
        service.tell_end(&self.pending, protocol, self.reply.as_ref());
    }

    /// The client gets another answer, the last one.
    #[cold]
    pub(super) fn give_up(&mut self, me: &Worker) {
        self.stop(Stopped::Cancelled);
        me.outbox().bytes.append(&mut self.sign);
    }

    /// Moves the items of a stream that are there to the outbox, behind the rest of a sign of life.
    pub(super) fn take_items(&mut self, me: &Worker) {
        let Some(items) = &self.pending.items else { return };
        let mut new = Outgoing::default();
        Arc::clone(items).take(&self.bell, &mut new);
        if !new.is_empty() {
            let out = &mut me.outbox().bytes;
            out.append(&mut self.sign);
            out.append(&mut new);
            (self.last_item, self.last_sign) = (Instant::now(), Instant::now());
        }
    }

    pub(super) fn stop(&self, why: Stopped) {
        self.pending.run.0.signal.fire(why);
    }
}

/// The next step of a connection that waits for an answer.
enum Then {
    Wait,
    Answer(Reply),
    /// The answer is a stream.
    Stream(Box<dyn Streaming>),
    /// Nobody waits for the answer.
    Close,
}

impl Core {
    /// Looks at the command that is answered later. None if it is answered: the connection goes on.
    #[cold]
    pub(super) fn await_answer(
        self: &Arc<Self>,
        me: &Worker,
        memory: &mut Memory,
        conn: &mut Conn,
    ) -> Option<Next> {
        let awaited = conn.awaited.as_mut()?;
        let reply =
            match self.look_at_awaited(conn.is_gone, conn.is_half_closed, conn.phase, awaited) {
                Then::Wait => {
                    let next = take_body(&self.service.config.times, conn)?;
                    let awaited = conn.awaited.as_mut()?;
                    let now = Instant::now();
                    if awaited.next_report.is_some_and(|at| at <= now) {
                        let run = &awaited.pending.run.0;
                        awaited.next_report = next_report(run, now);
                        send_report(run, &conn.socket, &mut awaited.sign);
                    }
                    awaited.take_items(me);
                    if !me.outbox().bytes.is_empty() {
                        return Some(match self.flush(me, conn) {
                            // Others had no turn since this one began.
                            Sent::All => Next::Again,
                            sent => Next::after(sent),
                        });
                    }
                    let signs = conn.conversation.signs();
                    if next_sign(signs, awaited.last_sign).is_some_and(|at| at <= now) {
                        awaited.last_sign = now;
                        let since = awaited.since();
                        send_sign(signs, "running", since, &conn.socket, &mut awaited.sign);
                    }
                    return Some(next);
                }
                Then::Close => return Some(Next::Close),
                Then::Stream(stream) => {
                    self.begin_stream(conn, stream);
                    return None;
                }
                Then::Answer(reply) => reply,
            };
        awaited.reply = Some(reply);
        if let Some(report) = awaited.pending.run.0.report.get() {
            report.write_new(&mut awaited.sign);
        }
        if self.service.hooks.is_some() && !self.tell_answer(me, conn) {
            return Some(Next::HandOver);
        }
        let mut awaited = conn.awaited.take()?;
        awaited.take_items(me);
        let reply = awaited.reply.take()?;
        conn.deadline = None;
        conn.needs_input = false;
        conn.has_progressed = true;
        // Before the answer is sent: the client may send the next command at once.
        let limits = &self.service.config.per_user;
        if awaited.pending.run.0.signal.get().is_some() {
            self.lock().leave_run(me.slot(), limits);
        } else {
            self.lock().end_run(me.slot(), limits);
        }
        // Also if the answer is one of a transaction's: the rest of a frame comes before anything else.
        me.outbox().bytes.append(&mut awaited.sign);
        if let Step::Answer { reply, last, .. } = conn.conversation.finish(*awaited.pending, reply)
        {
            memory.answered += 1;
            let mut outbox = me.outbox();
            if !std::mem::take(&mut outbox.answered) {
                encode::reply(reply, conn.conversation.protocol(), &mut outbox.bytes);
            }
            if last {
                conn.phase.finish(false);
            }
        }
        match self.flush(me, conn) {
            Sent::All => None,
            sent => Some(Next::after(sent)),
        }
    }

    /// Looks at the command that is answered later while earlier answers wait for the client to read: it may be
    /// time to ask the command to stop.
    pub(super) fn look_while_sending(self: &Arc<Self>, conn: &mut Conn) {
        let Some(awaited) = &mut conn.awaited else { return };
        if !conn.phase.reads_commands() {
            return;
        }
        match self.look_at_awaited(conn.is_gone, conn.is_half_closed, conn.phase, awaited) {
            Then::Answer(reply) => awaited.reply = Some(reply),
            Then::Stream(stream) => self.begin_stream(conn, stream),
            Then::Wait | Then::Close => {}
        }
    }

    /// The answer of a command is a stream: it begins to make items.
    #[cold]
    fn begin_stream(self: &Arc<Self>, conn: &mut Conn, stream: Box<dyn Streaming>) {
        if let Some(awaited) = &mut conn.awaited {
            let pending = &mut awaited.pending;
            let workers = self.workers(Some(conn.token));
            conn.conversation.stream(&self.service, &workers, pending, stream);
        }
    }

    fn look_at_awaited(
        &self,
        is_gone: bool,
        is_half_closed: bool,
        phase: Phase,
        awaited: &mut Awaited,
    ) -> Then {
        if let Some(reply) = awaited.reply.take() {
            return Then::Answer(reply);
        }
        let (later, run) = (&awaited.pending.later, &awaited.pending.run.0);
        let now = Instant::now();
        let limit = self.service.config.times.run;
        let limit =
            limit.filter(|limit| now.saturating_duration_since(awaited.last_item) >= *limit);
        // The answer comes first if it is there.
        match later.poll(&awaited.bell) {
            Some(Given::Reply(reply)) => return Then::Answer(reply),
            Some(Given::Stream(stream)) => return Then::Stream(stream),
            None => {}
        }
        let waited = now.saturating_duration_since(awaited.since());
        let (why, instead) = if is_gone {
            (Stopped::Cancelled, None)
        } else if self.is_over() {
            // A stream that does not listen ends with its next item.
            if !later.is_queued() && awaited.pending.items.is_none() {
                self.note_unfinished(&run.name, awaited.since().elapsed());
            }
            let why = "the daemon stops without waiting for the command";
            (Stopped::ShuttingDown, Some((code::SHUTDOWN, why.to_owned())))
        } else if phase != Phase::Open && run.ends_at_stop && run.signal.get().is_none() {
            (Stopped::ShuttingDown, None)
        } else if is_half_closed && run.ends_with_input {
            let why = "the caller has cancelled the command, which still runs";
            (Stopped::Cancelled, (!run.is_heard()).then(|| (code::CANCELLED, why.to_owned())))
        } else if waited >= self.service.config.times.busy && awaited.waits_for_thread() {
            // It is not told that it was cancelled.
            later.complete(Reply::Error(self.busy(later.is_queued())));
            (Stopped::Cancelled, None)
        } else if let Some(limit) = limit {
            let why = format!("no answer after {}; the command still runs", units(limit));
            (Stopped::TimedOut, Some((code::TIMEOUT, why)))
        } else if awaited.caller_waits_until().is_some_and(|at| at <= now) {
            (Stopped::TimedOut, None)
        } else {
            return Then::Wait;
        };
        if is_gone {
            awaited.cut_body();
            if awaited.pending.run.0.once.is_none() {
                awaited.stop(why);
            }
            return Then::Close;
        }
        awaited.stop(why);
        // A deferred answer is the reason for the stop.
        match (later.poll(&awaited.bell), instead) {
            (Some(Given::Reply(reply)), _) => Then::Answer(reply),
            (Some(Given::Stream(stream)), _) => Then::Stream(stream),
            (None, Some((code, why))) => Then::Answer(Reply::Error(Failure::new(code, why))),
            (None, None) => Then::Wait,
        }
    }

    /// Notes a command that was not waited for when the server stopped.
    fn note_unfinished(&self, name: &str, ran_for: Duration) {
        if let Some(shutdown) = &mut self.lock().shutdown {
            shutdown.ended(Unfinished::new(name.to_owned(), ran_for));
        }
    }
}
