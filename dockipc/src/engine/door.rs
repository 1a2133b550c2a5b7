//! The ways into a server: each a path, and the socket that listens there.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::Shutdown;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::Core;
use super::accept::Arrival;
use crate::listener::Published;

pub(super) struct Door {
    pub(super) published: Published,
    /// None once the server stops.
    listener: Mutex<Option<Arc<UnixListener>>>,
    /// Whether the system had no memory to tell of who comes to this listener.
    is_unheard: AtomicBool,
}

/// The events' data of doors begin here: two for each, its listener and its path.
pub(super) const DOORS: u64 = 0xffff_ffff << 32;

/// What an event at a door is about.
pub(super) enum Knock {
    /// Somebody connects.
    Somebody(usize),
    /// Something happened at the path.
    Path(usize),
}

impl Knock {
    /// Only for data that are a door's.
    pub(super) fn of(data: u64) -> Self {
        let number = data - DOORS;
        let door = usize::try_from(number / 2).unwrap_or(usize::MAX);
        if number.is_multiple_of(2) { Self::Somebody(door) } else { Self::Path(door) }
    }
}

fn data(door: usize, which: u64) -> EventData {
    EventData::new_u64(DOORS + 2 * door as u64 + which)
}

impl Door {
    pub(super) fn new((listener, published): (UnixListener, Published)) -> Self {
        let listener = Mutex::new(Some(Arc::new(listener)));
        Self { published, listener, is_unheard: AtomicBool::new(false) }
    }

    fn listener(&self) -> MutexGuard<'_, Option<Arc<UnixListener>>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(&self) -> Option<Arc<UnixListener>> {
        self.listener().clone()
    }
}

/// How often the paths are looked at, for what the system tells nobody about.
const LOOK: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// When they are looked at again after the system has told of something.
const SOON: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// What happens at a path is told once until the next tick. Whoever may connect to a socket may also
/// change its times, and could keep a thread busy.
const ONCE: EventFlags = EventFlags::IN.union(EventFlags::ONESHOT);

/// A clock that ticks when it is time to look at the paths. A limit of the leader's every wait for
/// events would cost more than some commands.
pub(super) fn clock() -> Result<OwnedFd, Errno> {
    let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
    let clock = timerfd_create(TimerfdClockId::Monotonic, flags)?;
    tick(&clock, LOOK)?;
    Ok(clock)
}

/// Has a clock tick first after this time.
fn tick(clock: &OwnedFd, first: Timespec) -> Result<(), Errno> {
    let ticks = Itimerspec { it_interval: LOOK, it_value: first };
    timerfd_settime(clock, TimerfdTimerFlags::empty(), &ticks).map(drop)
}

impl Core {
    /// Waits for who comes by this door, and for what happens at its path.
    pub(super) fn watch_door(&self, index: usize, door: &Door) -> Result<(), Errno> {
        if let Some(listener) = door.open() {
            self.watch_listener(index, &listener)?;
        }
        if let Some(path) = door.published.watch() {
            epoll::add(&self.epoll, path, data(index, 1), ONCE)?;
        }
        Ok(())
    }

    fn watch_listener(&self, index: usize, listener: &UnixListener) -> Result<(), Errno> {
        rustix::io::ioctl_fionbio(listener, true)?;
        epoll::add(&self.epoll, listener, data(index, 0), EventFlags::IN)
    }

    /// Whether somebody is let in by any door.
    pub(super) fn listen(&self, on: bool) {
        let flags = if on { EventFlags::IN } else { EventFlags::empty() };
        for (index, door) in self.doors.iter().enumerate() {
            if let Some(listener) = door.open() {
                // It is in the set, and the kernel needs no memory for a change.
                let _ = epoll::modify(&self.epoll, &listener, data(index, 0), flags);
            }
        }
    }

    /// Looks at a path at which something happened. Linux tells of a removal before the name is gone:
    /// another look follows.
    #[cold]
    pub(super) fn look_twice(&self, index: usize) -> Vec<Arrival> {
        if let Some(clock) = &self.clock {
            // Else it ticks when it would have.
            let _ = tick(clock, SOON);
        }
        self.look_at_path(index)
    }

    /// Looks whether the path still leads here. Where it had to be made anew, gives the last who came
    /// to the old socket.
    #[cold]
    pub(super) fn look_at_path(&self, index: usize) -> Vec<Arrival> {
        let Some(door) = self.doors.get(index) else { return Vec::new() };
        let Some(renewed) = door.published.check() else {
            if door.is_unheard.load(Ordering::Relaxed)
                && let Some(listener) = door.open()
            {
                self.hear(index, door, &listener);
            }
            return Vec::new();
        };
        let mut listener = door.listener();
        if listener.is_none() {
            return Vec::new();
        }
        let renewed = Arc::new(renewed);
        self.hear(index, door, &renewed);
        let old = listener.replace(renewed);
        drop(listener);
        old.map(|old| self.take_last(index, &old)).unwrap_or_default()
    }

    /// Waits for who comes to a new listener. If the system can't, the next look tries again; who
    /// comes meanwhile is in its queue.
    #[cold]
    fn hear(&self, index: usize, door: &Door, listener: &UnixListener) {
        let watched = self.watch_listener(index, listener);
        door.is_unheard.store(watched.is_err(), Ordering::Relaxed);
    }

    /// Looks at all paths, when the clock has ticked.
    #[cold]
    pub(super) fn look_at_paths(&self) -> Vec<Arrival> {
        if let Some(clock) = &self.clock {
            let _ = rustix::io::read(clock, &mut [0_u8; 8]);
        }
        for (index, door) in self.doors.iter().enumerate() {
            if let Some(path) = door.published.watch() {
                // It is in the set, and the kernel needs no memory for a change.
                let _ = epoll::modify(&self.epoll, path, data(index, 1), ONCE);
            }
        }
        (0..self.doors.len()).flat_map(|door| self.look_at_path(door)).collect()
    }

    /// Gives a door up; gives the last who came. The socket may be another process's as well: then
    /// those are left to that one.
    pub(super) fn close_door(&self, index: usize, door: &Door) -> Vec<Arrival> {
        let listener = door.listener().take();
        let Some(listener) = listener else { return Vec::new() };
        if door.published.is_shared() {
            // Closing ours would not take it out of the set, epoll(7): others are open.
            let _ = epoll::delete(&self.epoll, &listener);
            return Vec::new();
        }
        self.take_last(index, &listener)
    }

    /// Takes in who has connected to a listener that is given up.
    fn take_last(&self, index: usize, listener: &UnixListener) -> Vec<Arrival> {
        // Who comes from now on is told at once that nobody listens, connect(2).
        let _ = rustix::net::shutdown(listener, Shutdown::Both);
        let mut all = Vec::new();
        loop {
            let mut some = self.take_in(index, listener);
            if some.is_empty() {
                return all;
            }
            all.append(&mut some);
        }
    }
}
