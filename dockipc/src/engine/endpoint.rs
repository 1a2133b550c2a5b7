//! A server's socket: its path, and the listener there.

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

use super::accept::Arrival;
use super::core::Core;
use super::token::Token;
use crate::listener::Published;
use crate::sys::NotForked;

/// A child that a command forks does not keep it: clients would wait for a daemon that has ended.
type Listener = NotForked<UnixListener>;

/// A path, and the listener there.
pub(crate) struct Endpoint {
    pub(crate) published: Published,
    /// None once the server stops.
    listener: Mutex<Option<Arc<Listener>>>,
    /// Whether the system had no memory to register the listener; the next look at the path tries
    /// again. `Relaxed`: read and written by the leader.
    is_unregistered: AtomicBool,
}

impl Endpoint {
    pub(crate) fn new((listener, published): (UnixListener, Published)) -> Self {
        let listener = Mutex::new(Some(Arc::new(NotForked::new(listener))));
        Self { published, listener, is_unregistered: AtomicBool::new(false) }
    }

    #[inline(never)]
    fn lock(&self) -> MutexGuard<'_, Option<Arc<Listener>>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The listener, while the server accepts connections.
    pub(crate) fn listener(&self) -> Option<Arc<Listener>> {
        self.lock().clone()
    }
}

/// How often the paths are looked at, if the kernel may not tell of a change.
const LOOK: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// How often the paths are looked at, if the kernel tells of every change but mounts.
const SELDOM: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };

/// The time to a second look after the kernel has told of a change.
const SECOND_LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// A change at a path is told once until the next tick. A client that may connect to a socket may also
/// change the file's times, and could keep a thread busy.
const ONCE: EventFlags = EventFlags::IN.union(EventFlags::ONESHOT);

/// A timer that ticks when the paths are to be looked at. A timeout of the leader's every wait for
/// events would cost more than some commands.
pub(super) struct Ticker {
    pub(super) timer: OwnedFd,
    /// Whether it ticks every [`SELDOM`] instead of every [`LOOK`]. `Relaxed`: read and written by the
    /// leader.
    is_slow: AtomicBool,
    /// Whether the next tick is the second look. `Relaxed`, as above.
    is_second: AtomicBool,
}

impl Ticker {
    pub(super) fn new() -> Result<Self, Errno> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let (is_slow, is_second) = (AtomicBool::new(false), AtomicBool::new(false));
        let ticker = Self { timer, is_slow, is_second };
        ticker.set(LOOK, LOOK)?;
        Ok(ticker)
    }

    fn set(&self, first: Timespec, interval: Timespec) -> Result<(), Errno> {
        let ticks = Itimerspec { it_interval: interval, it_value: first };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &ticks)?;
        self.is_slow.store(interval == SELDOM, Ordering::Relaxed);
        self.is_second.store(first == SECOND_LOOK, Ordering::Relaxed);
        Ok(())
    }
}

impl Core {
    /// Registers an endpoint's listener, and the changes at its path.
    pub(super) fn watch_endpoint(&self, index: usize, endpoint: &Endpoint) -> Result<(), Errno> {
        if let Some(listener) = endpoint.listener() {
            self.watch_listener(index, &listener)?;
        }
        if let Some(changes) = endpoint.published.watch() {
            let data = EventData::new_u64(Token::Path(index).to_data());
            epoll::add(&self.epoll, changes, data, ONCE)?;
        }
        Ok(())
    }

    fn watch_listener(&self, index: usize, listener: &UnixListener) -> Result<(), Errno> {
        rustix::io::ioctl_fionbio(listener, true)?;
        let data = EventData::new_u64(Token::Listener(index).to_data());
        epoll::add(&self.epoll, listener, data, EventFlags::IN)
    }

    /// Switches accepting on or off at all endpoints.
    pub(super) fn listen(&self, on: bool) {
        let flags = if on { EventFlags::IN } else { EventFlags::empty() };
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            if let Some(listener) = endpoint.listener() {
                let data = EventData::new_u64(Token::Listener(index).to_data());
                // The listener is in the set, and the kernel needs no memory for a change.
                let _ = epoll::modify(&self.epoll, &listener, data, flags);
            }
        }
    }

    /// Looks at a path at which something happened. Linux tells of a removal before the name is gone,
    /// so that a second look follows, and on a busy machine the next one may be needed as well.
    #[cold]
    pub(super) fn look_twice(&self, index: usize) -> Vec<Arrival> {
        let last = self.look_at_path(index);
        if let Some(ticker) = &self.ticker {
            // If this fails, the second look comes with the next tick.
            let _ = ticker.set(SECOND_LOOK, LOOK);
        }
        last
    }

    /// Returns whether the kernel tells of the changes at all paths, and no listener is to be
    /// registered.
    fn are_watched(&self) -> bool {
        self.endpoints.iter().all(|endpoint| {
            endpoint.published.is_watched() && !endpoint.is_unregistered.load(Ordering::Relaxed)
        })
    }

    /// Looks whether the path still leads to this server. If the socket had to be made anew, returns
    /// the last connections to the old one.
    #[cold]
    fn look_at_path(&self, index: usize) -> Vec<Arrival> {
        let Some(endpoint) = self.endpoints.get(index) else { return Vec::new() };
        let Some(renewed) = endpoint.published.check() else {
            if endpoint.is_unregistered.load(Ordering::Relaxed)
                && let Some(listener) = endpoint.listener()
            {
                self.register_listener(index, endpoint, &listener);
            }
            return Vec::new();
        };
        let mut listener = endpoint.lock();
        if listener.is_none() {
            return Vec::new();
        }
        let renewed = Arc::new(NotForked::new(renewed));
        self.register_listener(index, endpoint, &renewed);
        let old = listener.replace(renewed);
        drop(listener);
        old.map(|old| self.accept_last(index, &old)).unwrap_or_default()
    }

    /// Registers a new listener. If the system can't, the next look tries again; clients that connect
    /// meanwhile wait in the listener's queue.
    #[cold]
    fn register_listener(&self, index: usize, endpoint: &Endpoint, listener: &UnixListener) {
        let watched = self.watch_listener(index, listener);
        endpoint.is_unregistered.store(watched.is_err(), Ordering::Relaxed);
    }

    /// Looks at all paths, when the ticker has ticked.
    #[cold]
    pub(super) fn look_at_paths(&self) -> Vec<Arrival> {
        if let Some(ticker) = &self.ticker {
            let _ = rustix::io::read(&ticker.timer, &mut [0_u8; 8]);
        }
        let mut last = Vec::new();
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            if let Some(changes) = endpoint.published.watch() {
                let data = EventData::new_u64(Token::Path(index).to_data());
                // It is in the set, and the kernel needs no memory for a change.
                let _ = epoll::modify(&self.epoll, changes, data, ONCE);
            }
            last.append(&mut self.look_at_path(index));
        }
        if let Some(ticker) = &self.ticker
            && !ticker.is_second.swap(false, Ordering::Relaxed)
        {
            let interval = if self.are_watched() { SELDOM } else { LOOK };
            if ticker.is_slow.load(Ordering::Relaxed) != (interval == SELDOM) {
                // If this fails, the next tick tries again.
                let _ = ticker.set(interval, interval);
            }
        }
        last
    }

    /// Closes an endpoint; returns the last connections. A socket that another process has too is left
    /// to that one, with the connections in its queue.
    pub(super) fn close_endpoint(&self, index: usize, endpoint: &Endpoint) -> Vec<Arrival> {
        let listener = endpoint.lock().take();
        let Some(listener) = listener else { return Vec::new() };
        if endpoint.published.is_shared() {
            // Closing ours would not take it out of the set, epoll(7): others are open.
            let _ = epoll::delete(&self.epoll, &listener);
            return Vec::new();
        }
        self.accept_last(index, &listener)
    }

    /// Accepts what is in the queue of a listener that is given up.
    fn accept_last(&self, index: usize, listener: &UnixListener) -> Vec<Arrival> {
        // A child that was not made by fork(3) may keep it, and with it an event that never ends.
        let _ = epoll::delete(&self.epoll, listener);
        // From now on connect(2) fails at once.
        let _ = rustix::net::shutdown(listener, Shutdown::Both);
        let mut all = Vec::new();
        loop {
            let mut some = self.accept_from(index, listener);
            if some.is_empty() {
                return all;
            }
            all.append(&mut some);
        }
    }
}
