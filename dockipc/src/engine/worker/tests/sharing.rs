//! Leaders that share work, in a world of two of them, two connections and a stand-in for the kernel.

use super::super::super::ready::{Ready, WAKE};
use super::super::super::threads::{Roles, Share};
use super::*;

#[cfg(loom)]
use loom::{model::Builder, sync::Condvar};
use std::sync::Arc as StdArc;
#[cfg(not(loom))]
use std::sync::Condvar;

const LEADERS: usize = 2;

/// Events that no leader has taken, and whether the eventfd was written to.
#[derive(Default)]
struct Events {
    connections: Vec<usize>,
    is_woken: bool,
}

#[derive(Default)]
struct Hub {
    ready: Ready,
    roles: Roles,
    has_ended: bool,
}

struct World {
    hub: Mutex<Hub>,
    kernel: Mutex<Events>,
    waiters: Condvar,
    /// How often each connection was served.
    served: Mutex<[u8; 2]>,
    second: Condvar,
}

impl World {
    fn new() -> Self {
        Self {
            hub: Mutex::default(),
            kernel: Mutex::default(),
            waiters: Condvar::new(),
            served: Mutex::default(),
            second: Condvar::new(),
        }
    }

    fn send(&self, connections: &[usize]) {
        self.kernel.lock().expect("no panic").connections.extend(connections);
        self.waiters.notify_one();
    }

    /// As `Core::wake_leader`.
    fn wake_leader(&self, hub: &Hub) {
        if hub.roles.polling > 0 {
            self.kernel.lock().expect("no panic").is_woken = true;
            self.waiters.notify_one();
        }
    }

    /// Returns the events, and whether the caller was woken.
    fn wait_for_events(&self, sleeps: bool) -> (Vec<usize>, bool) {
        let mut events = self.kernel.lock().expect("no panic");
        while sleeps && events.connections.is_empty() && !events.is_woken {
            events = self.waiters.wait(events).expect("no panic");
        }
        let is_woken = std::mem::take(&mut events.is_woken);
        (std::mem::take(&mut events.connections), is_woken)
    }

    /// The first connection's command lasts until the second one's has ended.
    fn serve(&self, connection: usize) {
        let mut served = self.served.lock().expect("no panic");
        served[connection] += 1;
        if connection == 1 {
            self.second.notify_all();
        }
        while connection == 0 && served[1] == 0 {
            served = self.second.wait(served).expect("no panic");
        }
    }

    /// As `Core::lead`, until both connections are served.
    fn lead(&self) {
        // The hub's are not loom's.
        let me = StdArc::new(Worker::new());
        let mut hub = self.hub.lock().expect("no panic");
        hub.roles.add_leader(&me);
        while !hub.has_ended {
            let may_be_long = hub.roles.may_be_long(LEADERS);
            if let Some((connection, cost)) = hub.ready.pop(may_be_long) {
                let has_work = hub.ready.is_worth_sharing();
                // One that is to be recruited comes of itself.
                if hub.roles.share(cost, has_work, LEADERS) == Share::Wake {
                    self.wake_leader(&hub);
                }
                hub.roles.set_away(&me, true);
                drop(hub);
                self.serve(connection);
                hub = self.hub.lock().expect("no panic");
                hub.roles.set_away(&me, false);
                hub.has_ended |= connection == 0;
                continue;
            }
            let sleeps = !hub.ready.has_any(hub.roles.may_be_long(LEADERS));
            hub.roles.begin_poll(&me, sleeps);
            drop(hub);
            let (events, is_woken) = self.wait_for_events(sleeps);
            hub = self.hub.lock().expect("no panic");
            hub.roles.end_poll(&me, sleeps, is_woken);
            for connection in events {
                hub.ready.push(connection, WAKE);
            }
            hub.ready.polled();
        }
        hub.roles.remove_leader(&me);
        self.wake_leader(&hub);
    }
}

#[cfg(not(loom))]
use super::model as bounded;

/// Every order would take days. Three switches at a place of loom's choice, beside those where a thread
/// waits, are enough for a wake-up that is lost between a look and the wait.
#[cfg(loom)]
fn bounded(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

fn check(events: &'static [&'static [usize]]) {
    bounded(move || {
        let world = Arc::new(World::new());
        let leaders = [(); LEADERS].map(|()| {
            let world = Arc::clone(&world);
            thread::spawn(move || world.lead())
        });
        for connections in events {
            world.send(connections);
        }
        for leader in leaders {
            leader.join().expect("no panic");
        }
        assert_eq!(*world.served.lock().expect("no panic"), [1, 1]);
    });
}

#[test]
fn work_that_waits_behind_a_long_command_is_taken_by_another_leader() {
    check(&[&[0, 1]]);
}

#[test]
fn event_during_a_long_command_is_taken_by_another_leader() {
    check(&[&[0], &[1]]);
}
