//! A leader: waits for events and serves the connections that have them.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll;

use super::accept::{Arrival, TurnedAway};
use super::core::Core;
use super::hub_guard::HubGuard;
use super::input::Memory;
use super::ready::WAKE;
use super::threads::Share;
use super::token::Token;
use super::worker::Worker;
use crate::commands::Cost;
use crate::listener;
use crate::sys;

/// How long a leader that is not the only one waits for events before it gives the role up.
const STAY: Duration = Duration::from_secs(1);

/// The consecutive looks for events that find a leader one too many before it gives the role up. Work that
/// is worth sharing comes and goes.
const TOO_MANY: u32 = 8;

/// The result of the events that are no connection's.
struct Others {
    /// The new connections.
    arrivals: Vec<Arrival>,
    /// [`Core::wake_leader`] has reached this leader.
    was_called: bool,
}

impl Core {
    /// Leads until this thread has lost the lead or gives it up, or until the server has stopped.
    #[inline(never)]
    pub(super) fn lead(
        self: &Arc<Self>,
        hub: &mut HubGuard<'_>,
        me: &Arc<Worker>,
        memory: &mut Memory,
    ) {
        let mut too_many = 0;
        hub.roles.add_leader(me);
        // The lead can be lost in a command, and while paths are looked at.
        while me.leads() && !hub.has_ended {
            // Each use of the guard looks whether the hub is locked.
            let locked = &mut **hub;
            let may_be_long = locked.roles.may_be_long(self.max_leaders);
            if let Some((index, cost)) = locked.ready.pop(may_be_long) {
                if locked.roles.watcher_sleeps {
                    locked.roles.watcher_sleeps = false;
                    self.watcher.notify_one();
                }
                let is_long = cost >= WAKE;
                let has_work = locked.ready.is_worth_sharing();
                if (is_long || has_work) && locked.shutdown.is_none() {
                    self.share(hub, cost, has_work);
                }
                if is_long {
                    hub.roles.set_away(me, true);
                }
                self.serve(hub, index, me, memory);
                if is_long {
                    hub.roles.set_away(me, false);
                }
                continue;
            }
            if hub.shutdown.is_some() {
                if !hub.roles.is_first(me) {
                    break;
                }
                self.wind_down(hub);
                if hub.has_ended || !me.leads() {
                    break;
                }
            }
            let is_idle = self.poll(hub, me, memory);
            if hub.roles.leaders.len() == 1 {
                too_many = 0;
                continue;
            }
            if hub.ready.is_worth_sharing() || !hub.roles.is_one_too_many() {
                too_many = 0;
            } else {
                too_many += 1;
            }
            let is_over = is_idle || too_many >= TOO_MANY;
            let has_idle_spare = hub.roles.has_idle_spare(self.max_leaders);
            if hub.roles.leaders.len() > 1 && is_over || has_idle_spare && !hub.ready.has_any(false)
            {
                break;
            }
        }
        self.end_lead(hub, me);
    }

    /// Ends the role of a leader, or of a thread that stays with a connection.
    pub(super) fn end_lead(&self, hub: &mut HubGuard<'_>, me: &Arc<Worker>) {
        hub.roles.remove_leader(me);
        // The others may have begun to wait before a timer was set, or the end.
        self.wake_leader(hub);
    }

    /// Wakes or recruits a leader for the connections that wait, and for those that may come while this
    /// leader is away.
    #[cold]
    fn share(self: &Arc<Self>, hub: &mut HubGuard<'_>, cost: Cost, has_work: bool) {
        match hub.roles.share(cost, has_work, self.max_leaders) {
            Share::No => {}
            Share::Wake => self.wake_leader(hub),
            Share::Recruit => self.recruit(hub),
        }
    }

    /// Waits for events and notes what they mean. True if there was none for some time, and this leader is
    /// not the only one.
    fn poll(&self, hub: &mut HubGuard<'_>, me: &Worker, memory: &mut Memory) -> bool {
        // The clock is read once, and only if anything is to be done at some time. A time that passes while this
        // leader waits ends the wait, and is handled here at the next look.
        let time_left = if hub.has_times() { self.handle_times(hub) } else { None };
        let locked = &mut **hub;
        let mut timeout = locked.timeout(locked.roles.may_be_long(self.max_leaders), time_left);
        let is_extra = locked.roles.leaders.len() > 1;
        if is_extra {
            timeout = Some(timeout.map_or(STAY, |timeout| timeout.min(STAY)));
        }
        let sleeps = timeout != Some(Duration::ZERO);
        locked.roles.begin_poll(me, sleeps);
        let others = hub.unlocked_in_turn(|| {
            self.wait_for_events(timeout, memory);
            let is_other = |event: &epoll::Event| !Token::is_connection(event.data.u64());
            memory.events.iter().any(is_other).then(|| self.handle_others(memory))
        });
        let was_called = others.as_ref().is_some_and(|others| others.was_called);
        let locked = &mut **hub;
        locked.roles.end_poll(me, sleeps, was_called);
        for event in &memory.events {
            locked.note(Token::from_data(event.data.u64()), event.flags);
        }
        if let Some(Others { arrivals, .. }) = others
            && !arrivals.is_empty()
        {
            self.take_in(hub, arrivals);
        }
        if !hub.left.is_empty() {
            Self::cancel_left(hub);
        }
        hub.ready.polled();
        is_extra && timeout == Some(STAY) && memory.events.is_empty()
    }

    #[cold]
    fn take_in(&self, hub: &mut HubGuard<'_>, arrivals: Vec<Arrival>) {
        let turned_away = hub.add_all(&self.service, arrivals);
        self.look_at_crowd(hub);
        hub.unlocked(|| turned_away.into_iter().for_each(TurnedAway::tell));
    }

    /// Handles the times that have passed; returns the time that is left until the next one.
    #[cold]
    #[inline(never)]
    fn handle_times(&self, hub: &mut HubGuard<'_>) -> Option<Duration> {
        let now = Instant::now();
        let resumes = hub.fire_timers(now);
        if !resumes && hub.overdue.is_empty() {
            return hub.time_left(now);
        }
        if resumes {
            hub.unlocked(|| self.listen(true));
        }
        self.attend(hub);
        // The hub was unlocked, and this leader was not woken for what has changed: it must not wait before it
        // has looked.
        Some(Duration::ZERO)
    }

    fn wait_for_events(&self, timeout: Option<Duration>, memory: &mut Memory) {
        memory.events.clear();
        let timeout = match timeout {
            None => None,
            Some(time) => Timespec::try_from(time).ok(),
        };
        let events = rustix::buffer::spare_capacity(&mut memory.events);
        // EINTR is a wait without events.
        let _ = epoll::wait(&self.epoll, events, timeout.as_ref());
    }

    /// Handles the events that are no connection's.
    #[cold]
    fn handle_others(&self, memory: &Memory) -> Others {
        let (mut arrivals, mut was_called) = (Vec::new(), false);
        for event in &memory.events {
            match Token::from_data(event.data.u64()) {
                Token::Connection { .. } => {}
                Token::Wake => {
                    was_called = true;
                    let _ = rustix::io::read(&self.wake, &mut [0_u8; 8]);
                }
                Token::Signals => self.handle_signals(),
                Token::Ticker => arrivals.append(&mut self.look_at_paths()),
                Token::Listener(index) => arrivals.append(&mut self.accept(index)),
                Token::Path(index) => arrivals.append(&mut self.look_twice(index)),
            }
        }
        Others { arrivals, was_called }
    }

    /// The first signal stops the server in order, the second at once.
    #[cold]
    fn handle_signals(&self) {
        let Some(socket) = &self.signals else { return };
        let count = (&*socket).read(&mut [0; 16]).unwrap_or(0);
        let earlier = usize::from(self.lock().shutdown.is_some());
        if count > 0 {
            let is_second = earlier + count > 1;
            sys::set_default_action(is_second);
            let limit = self.service.config.times.shutdown;
            self.stop(if is_second { Duration::ZERO } else { limit });
            // The signal may have come before the server was ready.
            self.say_ready();
            listener::notify("STOPPING=1");
        }
    }
}
