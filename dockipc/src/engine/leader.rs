//! The leader: waits for events and serves the connections that have them.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::Timespec;
use rustix::event::epoll;

use super::accept::{Arrival, TurnedAway};
use super::core::Core;
use super::hub_guard::HubGuard;
use super::input::Memory;
use super::token::Token;
use super::worker::Worker;
use crate::listener;
use crate::sys;

impl Core {
    /// Leads until this thread has lost the lead, or until the server has stopped.
    pub(super) fn lead(
        self: &Arc<Self>,
        hub: &mut HubGuard<'_>,
        me: &Arc<Worker>,
        memory: &mut Memory,
    ) {
        // The lead can be lost in a command, and while paths are looked at.
        while hub.roles.is_leader(me) {
            if let Some(index) = hub.next() {
                if std::mem::replace(&mut hub.roles.watcher_sleeps, false) {
                    self.watcher.notify_one();
                }
                self.serve(hub, index, me, memory);
                continue;
            }
            if hub.shutdown.is_some() {
                self.wind_down(hub);
                if hub.has_ended || !hub.roles.is_leader(me) {
                    return;
                }
            }
            self.poll(hub, memory);
        }
    }

    /// Waits for events and notes what they mean.
    fn poll(&self, hub: &mut HubGuard<'_>, memory: &mut Memory) {
        let timeout = hub.timeout();
        hub.roles.is_polling = true;
        let arrivals = hub.unlocked(|| {
            self.wait_for_events(timeout, memory);
            self.handle_events(memory)
        });
        hub.roles.is_polling = false;
        for event in &memory.events {
            hub.note(Token::from_data(event.data.u64()), event.flags);
        }
        if !arrivals.is_empty() {
            let turned_away = hub.add_all(&self.service, arrivals);
            hub.unlocked(|| turned_away.into_iter().for_each(TurnedAway::tell));
        }
        if hub.fire_timers() {
            hub.unlocked(|| self.listen(true));
        }
        if !hub.overdue.is_empty() {
            self.attend(hub);
        }
        hub.polled();
    }

    fn wait_for_events(&self, timeout: Option<Duration>, memory: &mut Memory) {
        memory.events.clear();
        let timeout = timeout.and_then(|time| Timespec::try_from(time).ok());
        let events = rustix::buffer::spare_capacity(&mut memory.events);
        // EINTR is a wait without events.
        let _ = epoll::wait(&self.epoll, events, timeout.as_ref());
    }

    /// Handles the events that are no connection's; returns the new connections.
    fn handle_events(&self, memory: &Memory) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        for event in &memory.events {
            match Token::from_data(event.data.u64()) {
                Token::Connection { .. } => {}
                Token::Wake => drop(rustix::io::read(&self.wake, &mut [0_u8; 8])),
                Token::Signals => self.handle_signals(),
                Token::Ticker => arrivals.append(&mut self.look_at_paths()),
                Token::Listener(index) => arrivals.append(&mut self.accept(index)),
                Token::Path(index) => arrivals.append(&mut self.look_twice(index)),
            }
        }
        arrivals
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
