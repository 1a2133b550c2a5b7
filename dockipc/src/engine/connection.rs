//! A connection with its socket.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use super::awaited::Awaited;
use super::deadline::{Deadline, Due};
use super::phase::Phase;
use super::sign_of_life::{next_sign, send_sign};
use super::stay::Stay;
use super::users::Users;
use crate::buffer::Buffer;
use crate::commands::Cost;
use crate::config::{Config, PerUser, Times};
use crate::dispatch::Conversation;
use crate::error::Failure;
use crate::sys::NotForked;
use crate::wire::Outgoing;

/// A connection's socket. A child that a command forks does not keep it: the client would not see the end
/// of the connection.
pub(super) type Socket = NotForked<OwnedFd>;

/// A connection with its socket. Between commands it is this and nothing else: buffers that are empty
/// take no memory.
pub(super) struct Conn {
    /// Shared with the hub, so that others can answer while a thread serves the connection.
    pub(super) socket: Arc<Socket>,
    /// The data of the socket's events: the connection's place in the hub.
    pub(super) token: u64,
    pub(super) conversation: Conversation,
    /// Whether it is served, or turned away. Never changes.
    pub(super) is_admitted: bool,
    pub(super) phase: Phase,
    /// Bytes that were read and not used up.
    pub(super) input: Buffer,
    /// Bytes that the socket did not take, if there are any.
    pub(super) output: Option<Box<Outgoing>>,
    /// Whether `output` has only events, for which the client has time: those that it does not read are
    /// dropped.
    pub(super) sends_events: bool,
    pub(super) deadline: Option<Deadline>,
    /// Whether a command was answered since the deadline was set.
    pub(super) has_progressed: bool,
    /// The cost of its last command; [`Cost::NEW`] before the first.
    pub(super) cost: Cost,
    pub(super) stay: Stay,
    /// The answer to its next slow command, which is not run.
    pub(super) denied: Option<Failure>,
    /// While its command waits for a thread.
    wait: Option<Wait>,
    /// The command that is answered later. Until then no other one is looked at.
    pub(super) awaited: Option<Box<Awaited>>,
    /// Bytes charged to the user's quota.
    pub(super) charged: usize,
    /// Whether the charge is over the quota, so that the connection ends.
    pub(super) is_over_quota: bool,
    /// Whether the socket may have unread bytes. Edge-triggered events tell of new ones only.
    pub(super) is_readable: bool,
    /// Whether more input is needed before anything can be done.
    pub(super) needs_input: bool,
    /// Whether the kernel told that the client has ended its side. Unread bytes may come before the end.
    pub(super) is_half_closed: bool,
    /// Whether the kernel told that the client has left.
    pub(super) is_gone: bool,
    /// Whether the socket is in the epoll set.
    pub(super) is_registered: bool,
    /// Whether it waits for a thread that runs code of the author's beside a command.
    pub(super) waits_aside: bool,
}

/// The wait of a command for a thread.
struct Wait {
    since: Instant,
    /// When the client was last told so.
    last_sign: Instant,
}

impl Conn {
    pub(super) fn new(
        socket: Socket,
        conversation: Conversation,
        token: u64,
        times: &Times,
    ) -> Self {
        let is_admitted = conversation.refusal().is_none();
        let deadline = if is_admitted { None } else { Deadline::new(Due::Protocol, times) };
        Self {
            socket: Arc::new(socket),
            token,
            conversation,
            is_admitted,
            phase: Phase::Open,
            input: Buffer::default(),
            output: None,
            sends_events: false,
            deadline,
            has_progressed: false,
            cost: Cost::NEW,
            stay: Stay::default(),
            denied: None,
            wait: None,
            awaited: None,
            charged: 0,
            is_over_quota: false,
            is_readable: false,
            needs_input: true,
            is_half_closed: false,
            is_gone: false,
            is_registered: false,
            waits_aside: false,
        }
    }

    pub(super) fn uid(&self) -> u32 {
        self.conversation.uid()
    }

    /// Whether answers wait for the client to read.
    pub(super) fn has_pending_output(&self) -> bool {
        self.output.as_ref().is_some_and(|queue| !queue.is_empty())
    }

    /// Returns memory that is not needed, so that no more than twice the waiting bytes is held.
    pub(super) fn shrink(&mut self) {
        self.input.shrink_to(self.input.len() * 2);
    }

    /// The bytes of commands that wait in it.
    pub(super) fn held(&self) -> usize {
        let body = self.awaited.as_ref().map_or(0, |awaited| awaited.held());
        self.input.len() + self.conversation.queued() + body
    }

    /// Charges the bytes that wait in it to its user. False if they are more than the quota.
    pub(super) fn charge(&mut self, users: &mut Users, limits: &PerUser) -> bool {
        if limits.bytes.is_some() {
            self.shrink();
            let output = self.output.as_ref().filter(|_| !self.sends_events);
            let unsent = output.map_or(0, |queue| queue.held());
            let now = self.held() + unsent;
            let before = std::mem::replace(&mut self.charged, now);
            // A transaction that has begun is not cut off: its next commands are refused.
            self.is_over_quota = !users.charge_bytes(self.uid(), before, now, limits)
                && self.conversation.execution().is_none();
        }
        !self.is_over_quota
    }

    /// Gives its charge back when it ends.
    pub(super) fn discharge(&mut self, users: &mut Users, limits: &PerUser) {
        users.charge_bytes(self.uid(), std::mem::take(&mut self.charged), 0, limits);
    }

    /// The server stops: commands that have arrived are still answered.
    #[cold]
    pub(super) fn stop(&mut self) {
        let socket = &self.socket;
        let is_open = self.phase == Phase::Open;
        self.phase.stop(|| rustix::io::ioctl_fionread(socket).unwrap_or(0));
        self.is_readable |= is_open;
    }

    /// Its command begins to wait for a thread.
    pub(super) fn begin_to_wait(&mut self, times: &Times) {
        self.deadline = Deadline::new(Due::Thread, times);
        let since = Instant::now();
        let last_sign =
            self.conversation.execution().map_or(since, |transaction| transaction.last_sign);
        self.wait = Some(Wait { since, last_sign });
    }

    /// Its command has a thread. Returns when the client was last told that it waits, if it has waited.
    pub(super) fn end_wait(&mut self) -> Option<Instant> {
        self.wait.take().map(|wait| wait.last_sign)
    }

    /// When the waiting for a thread is to be looked at next.
    pub(super) fn next_look(&self) -> Option<Instant> {
        let end = self.deadline.map(|deadline| deadline.at);
        end.into_iter().chain(self.next_sign()).min()
    }

    fn next_sign(&self) -> Option<Instant> {
        next_sign(self.conversation.signs(), self.wait.as_ref()?.last_sign)
    }

    /// While its command waits for a thread: tells the client so now and then. False if it has waited
    /// for long enough.
    ///
    /// Called with the hub's lock held: the frame is small, and the send does not block. Without the
    /// lock a worker could take the connection and send an answer at the same time.
    #[cold]
    pub(super) fn keep_waiting(&mut self, now: Instant) -> bool {
        if self.deadline.is_none_or(|deadline| deadline.at <= now) {
            return false;
        }
        if self.next_sign().is_some_and(|at| at <= now)
            && let Some(wait) = &mut self.wait
        {
            wait.last_sign = now;
            let signs = self.conversation.signs();
            let queue = self.output.get_or_insert_default();
            send_sign(signs, "waiting", wait.since, &self.socket, queue);
            self.output.take_if(|queue| queue.is_empty());
        }
        true
    }

    /// Returns whether a client that is subscribed to events is waited for only for a time. Its next command
    /// may come at any time, and so may its reading of events.
    #[cold]
    fn has_deadline_while_subscribed(&self) -> bool {
        if self.has_pending_output() {
            return !self.sends_events;
        }
        !self.phase.reads_commands() || self.needs_input && self.conversation.is_inside(&self.input)
    }

    /// Sets the deadline of what it waits for after a turn.
    pub(super) fn set_deadline(&mut self, config: &Config) {
        let has_progressed = std::mem::take(&mut self.has_progressed);
        if let Some(awaited) = &self.awaited
            && self.phase.reads_commands()
            && !self.has_pending_output()
        {
            let at = awaited.next_look(&config.times, self.conversation.signs());
            self.deadline = at.map(|at| Deadline { at, due: Due::Answer });
            return;
        }
        if self.conversation.is_subscribed() && !self.has_deadline_while_subscribed() {
            self.deadline = None;
            return;
        }
        let due = if self.has_pending_output() {
            Due::Reading
        } else if !self.phase.reads_commands() || !self.is_admitted {
            // Set when draining began, or when the client was turned away.
            return;
        } else if self.needs_input && self.conversation.is_inside(&self.input) {
            Due::Command
        } else {
            Due::NextCommand
        };
        let is_same = self.deadline.is_some_and(|deadline| deadline.due == due);
        let goes_on = due == Due::Reading || !has_progressed;
        if !(is_same && goes_on) {
            self.deadline = Deadline::new(due, &config.times);
        }
    }
}
