//! The state that the threads of one server share.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, Once};

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

use super::endpoint::{Endpoint, Ticker};
use super::hub::Hub;
use super::hub_guard::HubGuard;
use super::phase::Phase;
use super::reserve::Reserve;
use super::taken::Taker;
use super::token::Token;
use crate::dispatch::Service;
use crate::listener;
use crate::sys;
use crate::warning::warn;

/// A value in cache lines of its own, or in pairs of them, which some processors fetch together. The other
/// fields are read for each command, and the hub is written to by each thread.
#[repr(align(128))]
struct Apart<T>(T);

/// The state that the threads of one server share.
pub(super) struct Core {
    pub(super) service: Arc<Service>,
    pub(super) epoll: OwnedFd,
    /// Written to wake a leader while it waits for events.
    pub(super) wake: OwnedFd,
    hub: Apart<Mutex<Hub>>,
    /// Idle threads wait here for a role.
    pub(super) parked: Condvar,
    /// The watcher waits here.
    pub(super) watcher: Condvar,
    /// Notified when a thread ends.
    pub(super) ended: Condvar,
    pub(super) max_threads: usize,
    /// The most leaders.
    pub(super) max_leaders: usize,
    /// The most threads that stay with a connection, and the most connections beside which one does.
    pub(super) max_staying: usize,
    /// The server's sockets, in the order of their [`SocketId`](crate::access::SocketId)s.
    pub(super) endpoints: Vec<Endpoint>,
    /// Ticks when the paths are to be looked at. None without a path of ours.
    pub(super) ticker: Option<Ticker>,
    /// Descriptors for root and the daemon's user.
    pub(super) reserve: Reserve,
    /// The author's code that may take connections.
    pub(super) taker: Option<Taker>,
    /// Receives a byte for each signal.
    pub(super) signals: Option<UnixStream>,
    /// Whether the service manager was told that the server is ready.
    ready: Once,
    /// The server stops, and none of the author's code may begin.
    is_over: AtomicBool,
    /// The process and its number of [`forks`](sys::forks). A forked child has only a copy of the
    /// server, without its threads, and maybe with its locks taken.
    process: u32,
    forks: u32,
}

impl Core {
    pub(super) fn new(
        service: Arc<Service>,
        endpoints: Vec<Endpoint>,
        signals: Option<UnixStream>,
        taker: Option<Taker>,
    ) -> Result<Self, Errno> {
        sys::watch_forks();
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let data = |token: Token| EventData::new_u64(token.to_data());
        epoll::add(&epoll, &wake, data(Token::Wake), EventFlags::IN | EventFlags::ET)?;
        if let Some(signals) = &signals {
            epoll::add(&epoll, signals, data(Token::Signals), EventFlags::IN)?;
        }
        // An abstract or a passed socket is not looked at.
        let has_path = endpoints.iter().any(|endpoint| !endpoint.published.is_watched());
        let ticker = has_path.then(Ticker::new).transpose()?;
        if let Some(ticker) = &ticker {
            epoll::add(&epoll, &ticker.timer, data(Token::Ticker), EventFlags::IN)?;
        }
        // A server without a path needs none.
        let reserved = if endpoints.is_empty() { 0 } else { service.config.reserved_connections };
        let first_phase = if taker.is_some() { Phase::Offered { shown: 0 } } else { Phase::Open };
        let core = Self {
            max_threads: service.config.threads(),
            max_leaders: service.config.leaders(),
            max_staying: service.config.staying(),
            service,
            epoll,
            wake,
            hub: Apart(Mutex::new(Hub::new(first_phase))),
            parked: Condvar::new(),
            watcher: Condvar::new(),
            ended: Condvar::new(),
            endpoints,
            ticker,
            reserve: Reserve::new(reserved),
            taker,
            signals,
            ready: Once::new(),
            is_over: AtomicBool::new(false),
            process: std::process::id(),
            forks: sys::forks(),
        };
        core.lock().accepting.spare = core.spare_descriptor();
        core.reserve.fill(&core.wake);
        for (index, endpoint) in core.endpoints.iter().enumerate() {
            core.watch_endpoint(index, endpoint)?;
        }
        Ok(core)
    }

    pub(super) fn lock(&self) -> HubGuard<'_> {
        HubGuard::lock(&self.hub.0)
    }

    /// Wakes a leader if one waits for events.
    ///
    /// With the hub's lock held: a leader that is about to wait has said so before it unlocked the hub,
    /// and a write to an eventfd does not block. One is enough, since each looks at everything in the hub;
    /// the kernel chooses the one that began to wait last.
    pub(super) fn wake_leader(&self, hub: &Hub) {
        if hub.roles.polling > 0 {
            // Fails only if a wake-up is pending already.
            let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
        }
    }

    /// Tells the service manager that clients can connect, once.
    pub(super) fn say_ready(&self) {
        self.ready.call_once(|| listener::notify("READY=1"));
    }

    /// `Relaxed`: a command that begins at the same moment may run or not. What decides about its
    /// answer, the hub's `shutdown`, is read with the lock.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Returns whether this process was forked from that of the server. To be checked before the hub is
    /// locked: there is no thread to unlock it.
    pub(super) fn is_forked(&self) -> bool {
        self.process != std::process::id()
    }

    /// Ends this process if a command has forked and returned in the child as well. The child would
    /// answer a second time, and take the events of the server's connections.
    pub(super) fn end_forked_child(&self) {
        #[cold]
        fn end() -> ! {
            warn(format_args!("a command has returned in a forked child, which ends here"));
            sys::end_child()
        }
        if self.forks != sys::forks() {
            end();
        }
    }

    pub(super) fn set_over(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}
