//! Who waits and who runs: threads follow commands, not connections.
//!
//! All sockets are in one epoll set, edge-triggered. One thread is the *leader*: it waits for
//! events and serves the connections that have them, one turn each, running handlers itself. That
//! is as cheap as a single-threaded loop as long as handlers are quick.
//!
//! When a handler stalls, the leader must be replaced, and the connections that wait in the
//! [`Hub`]'s queue with it. Two things see to that:
//!
//! - The *watcher*, a second thread, looks at the leader every millisecond while there is work (and
//!   sleeps when there is none). If it finds the leader in the same command twice, it takes over,
//!   and notes the command as slow ([`Pace`]).
//! - A command that is noted as slow is not run by the leader: its connection is put where other
//!   threads take it from, as many as are needed. Commands that turn out to be quick lose the note.
//!
//! A thread that has no role finishes its connection's turn, takes the next slow command, and then
//! parks for a moment before it ends. At rest there are two threads.

mod accept;
mod door;
mod hub;
mod reserve;
mod run;
mod stop;
mod sync;
mod turn;
mod user;
mod watch;
mod worker;

use std::cell::Cell;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;

use crate::access::SocketId;
use crate::buffer::wipe;
use crate::config::Times;
use crate::dispatch::Service;
use crate::error::{Error, Result, Unfinished};
use crate::listener::{self, Published};
use crate::param::Scratch;
use crate::peer::Peer;
use crate::signals::Arrivals;
use accept::Arrival;
use door::{DOORS, Door, Knock};
use hub::{Fate, Hub, Seen};
use reserve::Reserve;
use stop::Stop;
use worker::Worker;

/// The threads of one server.
pub(crate) struct Engine {
    core: Arc<Core>,
}

struct Core {
    service: Arc<Service>,
    epoll: OwnedFd,
    /// Written to wake the leader while it waits for events.
    bell: OwnedFd,
    hub: Mutex<Hub>,
    /// Parked threads wait here for a role.
    parked: Condvar,
    /// The watcher waits here.
    watcher: Condvar,
    /// Told when a thread ends.
    ended: Condvar,
    max_threads: usize,
    doors: Vec<Door>,
    /// Ticks when it is time to look at their paths.
    clock: Option<OwnedFd>,
    /// Descriptors for root and the daemon's user.
    reserve: Reserve,
    signals: Option<Arrivals>,
    /// The service manager was told that the server is ready.
    ready: Once,
    /// The server stops, and nothing of the author's may begin.
    is_over: AtomicBool,
}

thread_local! {
    /// Whether this is a thread of an engine.
    static IS_WORKER: Cell<bool> = const { Cell::new(false) };
}

/// What a thread keeps between turns.
struct Kit {
    scratch: Scratch,
    /// Commands of this turn.
    ran: u64,
    input: Box<[u8]>,
    /// How many bytes of `input` were written to in this turn. Counted with the feature `zeroize`.
    filled: usize,
    events: Vec<epoll::Event>,
}

impl Kit {
    /// Notes that the first bytes of `input` were written to.
    fn fill(&mut self, bytes: usize) {
        if cfg!(feature = "zeroize") {
            self.filled = self.filled.max(bytes);
        }
    }

    /// After a turn: with the feature `zeroize`, what clients sent is overwritten.
    fn wipe(&mut self) {
        if cfg!(feature = "zeroize") {
            wipe(&mut self.input[..std::mem::take(&mut self.filled)]);
            self.scratch.wipe();
        }
    }
}

/// How many bytes are read at a time, and so about how many a connection can have served in a turn.
const READ: usize = 16 * 1024;

/// How many events are taken at a time.
const EVENTS: usize = 256;

/// How long a thread without a role waits for one.
const PARK: Duration = Duration::from_secs(1);

/// The events' data of what is no connection.
const BELL: u64 = u64::MAX;
const SIGNALS: u64 = u64::MAX - 1;
const CLOCK: u64 = u64::MAX - 2;

impl Engine {
    pub(crate) fn start(
        service: Arc<Service>,
        doors: Vec<(UnixListener, Published)>,
        signals: Option<Arrivals>,
    ) -> Result<Self> {
        let doors: Vec<_> = doors.into_iter().map(Door::new).collect();
        let failed = |errno: Errno| Error::io("starting the server", errno);
        let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(failed)?;
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(failed)?;
        let edge = EventFlags::IN | EventFlags::ET;
        epoll::add(&epoll, &bell, EventData::new_u64(BELL), edge).map_err(failed)?;
        if let Some(signals) = &signals {
            let data = EventData::new_u64(SIGNALS);
            epoll::add(&epoll, &signals.socket, data, EventFlags::IN).map_err(failed)?;
        }
        let clock = (!doors.is_empty()).then(door::clock).transpose().map_err(failed)?;
        if let Some(clock) = &clock {
            epoll::add(&epoll, clock, EventData::new_u64(CLOCK), EventFlags::IN).map_err(failed)?;
        }
        // Where nobody connects by a path, none are needed.
        let reserved = if doors.is_empty() { 0 } else { service.config.reserved_connections };
        let core = Arc::new(Core {
            max_threads: service.config.threads(),
            service,
            epoll,
            bell,
            hub: Mutex::new(Hub::new()),
            parked: Condvar::new(),
            watcher: Condvar::new(),
            ended: Condvar::new(),
            doors,
            clock,
            reserve: Reserve::new(reserved),
            signals,
            ready: Once::new(),
            is_over: AtomicBool::new(false),
        });
        core.lock().spare = core.spare();
        core.reserve.fill(&core.bell);
        let engine = Self { core };
        for (index, door) in engine.core.doors.iter().enumerate() {
            engine.core.watch_door(index, door).map_err(failed)?;
        }
        for _ in 0..2 {
            // By itself, so that the lock is given up: to stop takes it.
            let spawned = engine.core.spawn(engine.core.lock()).1;
            if let Err(e) = spawned {
                engine.stop(Duration::ZERO);
                return Err(Error::io("starting a thread", e));
            }
        }
        Ok(engine)
    }

    /// Tells the service manager that clients can connect.
    pub(crate) fn say_ready(&self) {
        self.core.say_ready();
    }

    /// Serves a connection that was made elsewhere. False when the server has stopped.
    pub(crate) fn adopt(&self, socket: UnixStream) -> bool {
        let peer = Peer::of(&socket).ok();
        let mut hub = self.core.lock();
        if hub.stop.is_some() {
            return false;
        }
        hub.add(
            &self.core.service,
            Arrival { socket: socket.into(), peer, entrance: SocketId::FIRST },
        );
        self.core.ring(&hub);
        true
    }

    pub(crate) fn times(&self) -> &Times {
        &self.core.service.config.times
    }

    /// Tells the server to stop, which it has done after so long and a moment.
    pub(crate) fn stop(&self, within: Duration) {
        self.core.stop(within);
    }

    /// Waits for the threads; gives the commands that were not waited for. Not from one of the
    /// threads, which would wait for itself.
    pub(crate) fn join(&self) -> Vec<Unfinished> {
        if IS_WORKER.get() {
            return Vec::new();
        }
        let mut hub = self.core.lock();
        while hub.threads > hub.stop.as_ref().map_or(0, Stop::abandoned) {
            hub = wait(&self.core.ended, hub);
        }
        hub.stop.as_ref().map_or_else(Vec::new, |stop| stop.unfinished().to_vec())
    }
}

fn wait<'h>(condvar: &Condvar, hub: MutexGuard<'h, Hub>) -> MutexGuard<'h, Hub> {
    condvar.wait(hub).unwrap_or_else(PoisonError::into_inner)
}

fn wait_for<'h>(
    condvar: &Condvar,
    hub: MutexGuard<'h, Hub>,
    time: Duration,
) -> (MutexGuard<'h, Hub>, bool) {
    let (hub, result) = condvar.wait_timeout(hub, time).unwrap_or_else(PoisonError::into_inner);
    (hub, result.timed_out())
}

impl Core {
    fn lock(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the leader if it waits for events.
    fn ring(&self, hub: &Hub) {
        if hub.polling {
            // It can only fail when the bell rings already.
            let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        }
    }

    /// Starts a thread.
    fn spawn<'h>(
        self: &'h Arc<Self>,
        mut hub: MutexGuard<'h, Hub>,
    ) -> (MutexGuard<'h, Hub>, std::io::Result<()>) {
        hub.threads += 1;
        hub.starting += 1;
        drop(hub);
        let core = Arc::clone(self);
        let name = thread::Builder::new().name("dockipc".into());
        let spawned = name.spawn(move || core.work()).map(drop);
        hub = self.lock();
        if spawned.is_err() {
            hub.threads -= 1;
            hub.starting -= 1;
        }
        (hub, spawned)
    }

    /// A thread's life: it takes the role that is needed, until none is.
    fn work(self: Arc<Self>) {
        IS_WORKER.set(true);
        let me = Arc::new(Worker::new());
        let mut kit = Kit {
            scratch: Scratch::default(),
            ran: 0,
            input: vec![0; READ].into(),
            filled: 0,
            events: Vec::with_capacity(EVENTS),
        };
        let mut hub = self.lock();
        hub.starting -= 1;
        while !hub.ended {
            if hub.leader.is_none() {
                me.set_leads(true);
                hub.leader = Some(Arc::clone(&me));
                hub = self.lead(hub, &me, &mut kit);
            } else if (hub.watched || hub.threads < self.max_threads)
                && let Some(index) = hub.deferred.pop_front()
            {
                // This thread may be away for long.
                hub = self.muster(hub);
                hub = self.serve(hub, index, &me, &mut kit);
            } else if !hub.watched {
                hub.watched = true;
                hub = self.watch(hub);
            } else {
                let called;
                (hub, called) = self.park(hub);
                if !called {
                    break;
                }
            }
        }
        hub.threads -= 1;
        self.ended.notify_all();
    }

    /// Waits for a role. False if none was needed for a while.
    fn park<'h>(&self, mut hub: MutexGuard<'h, Hub>) -> (MutexGuard<'h, Hub>, bool) {
        hub.parked += 1;
        loop {
            let timed_out;
            (hub, timed_out) = wait_for(&self.parked, hub, PARK);
            if hub.called > 0 {
                hub.called -= 1;
                return (hub, true);
            }
            if hub.ended || timed_out {
                hub.parked -= 1;
                return (hub, false);
            }
        }
    }

    /// Sees that somebody comes if something is left to do: to watch, or to take a slow command.
    /// One thread comes at a time, and sees to the next.
    fn muster<'h>(self: &'h Arc<Self>, mut hub: MutexGuard<'h, Hub>) -> MutexGuard<'h, Hub> {
        let filled = hub.watched && hub.deferred.is_empty();
        if filled || hub.called + hub.starting > 0 {
            return hub;
        }
        if hub.parked > 0 {
            hub.parked -= 1;
            hub.called += 1;
            self.parked.notify_one();
            return hub;
        }
        // Who watches is always needed: the limit is for those who run what blocks.
        if hub.watched && hub.threads >= self.max_threads {
            return hub;
        }
        let spawned;
        (hub, spawned) = self.spawn(hub);
        if spawned.is_err() && hub.watched && !hub.deferred.is_empty() {
            // The system has no thread for it, and nobody else is left.
            hub.drafted = true;
            self.watcher.notify_one();
        }
        hub
    }

    /// The leader's work. Returns when it has lost the lead, or when the server has stopped.
    fn lead<'h>(
        self: &'h Arc<Self>,
        mut hub: MutexGuard<'h, Hub>,
        me: &Arc<Worker>,
        kit: &mut Kit,
    ) -> MutexGuard<'h, Hub> {
        // It may have lost the lead in a command, or while it saw to paths.
        while hub.is_led_by(me) {
            if let Some(index) = hub.next() {
                if std::mem::replace(&mut hub.watcher_sleeps, false) {
                    self.watcher.notify_one();
                }
                hub = self.serve(hub, index, me, kit);
                continue;
            }
            if hub.stop.is_some() {
                hub = self.wind_down(hub);
                if hub.ended || !hub.is_led_by(me) {
                    return hub;
                }
            }
            let timeout = hub.timeout();
            hub.polling = true;
            drop(hub);
            kit.events.clear();
            let timeout = timeout.and_then(|time| Timespec::try_from(time).ok());
            let events = rustix::buffer::spare_capacity(&mut kit.events);
            // EINTR is a wait without events.
            let _ = epoll::wait(&self.epoll, events, timeout.as_ref());
            let mut arrivals = Vec::new();
            for event in &kit.events {
                match event.data.u64() {
                    BELL => drop(rustix::io::read(&self.bell, &mut [0_u8; 8])),
                    SIGNALS => self.signalled(),
                    CLOCK => arrivals.append(&mut self.look_at_paths()),
                    data if data >= DOORS => arrivals.append(&mut match Knock::of(data) {
                        Knock::Somebody(door) => self.accept(door),
                        Knock::Path(door) => self.look_twice(door),
                    }),
                    _ => {}
                }
            }
            hub = self.lock();
            hub.polling = false;
            for event in &kit.events {
                hub.note(event.data.u64(), event.flags);
            }
            hub.take_in(&self.service, arrivals);
            hub.fire_timers(self);
            if !hub.overdue.is_empty() {
                hub = self.attend(hub);
            }
            hub.polled();
        }
        hub
    }

    fn say_ready(&self) {
        self.ready.call_once(|| listener::notify("READY=1"));
    }

    /// The first signal stops the server in order, the second at once.
    #[cold]
    fn signalled(&self) {
        let Some(Arrivals { socket, is_default }) = &self.signals else { return };
        let count = (&*socket).read(&mut [0; 16]).unwrap_or(0);
        let earlier = usize::from(self.lock().stop.is_some());
        if count > 0 {
            let is_second = earlier + count > 1;
            is_default.store(is_second, Ordering::Relaxed);
            self.stop(if is_second { Duration::ZERO } else { self.service.config.times.shutdown });
            // The signal may have come first.
            self.say_ready();
            listener::notify("STOPPING=1");
        }
    }

    /// Gives one connection a turn, or as many as it wants if this thread does not lead.
    fn serve<'h>(
        self: &'h Arc<Self>,
        mut hub: MutexGuard<'h, Hub>,
        index: usize,
        me: &Arc<Worker>,
        kit: &mut Kit,
    ) -> MutexGuard<'h, Hub> {
        let Some((mut conn, mut seen)) = hub.take(index) else { return hub };
        loop {
            me.serve(Some(index));
            let stops = hub.stop.is_some();
            drop(hub);
            if stops {
                conn.begin_to_end();
            }
            let turn = AssertUnwindSafe(|| self.turn(me, kit, &mut conn, seen));
            let fate = catch_unwind(turn).unwrap_or_else(|_| Self::broken(me, &mut conn));
            kit.wipe();
            hub = self.lock();
            me.serve(None);
            hub.end_run(index, &self.service.config.per_user);
            self.service.counters.answered(std::mem::take(&mut kit.ran));
            match fate {
                Fate::Close => return self.close(hub, index, conn),
                Fate::Later => {
                    if let Err(failure) = hub.begin_run(index, &self.service.config.per_user) {
                        conn.deny(failure);
                        seen = Seen::default();
                        continue;
                    }
                    let at = conn.wait_for_thread(Instant::now());
                    hub.defer(index, conn);
                    if hub.set_timer(index, at) {
                        self.ring(&hub);
                    }
                    return self.muster(hub);
                }
                Fate::Park | Fate::Again => {
                    let more = fate == Fate::Again;
                    match hub.resume(index, more) {
                        // Somebody else leads, and nobody waits for this thread.
                        Some(new) if !hub.is_led_by(me) && hub.deferred.is_empty() => seen = new,
                        Some(new) => return self.queue(hub, index, conn, new),
                        None => {
                            if conn.holds_too_much(&mut hub.users, &self.service.config.per_user) {
                                if conn.must_be_heard() {
                                    return self.close(hub, index, conn);
                                }
                                seen = Seen::default();
                                continue;
                            }
                            if hub.set_timer(index, conn.deadline()) {
                                self.ring(&hub);
                            }
                            hub.put(index, conn);
                            return hub;
                        }
                    }
                }
            }
        }
    }

    /// Lets the leader serve a connection when its turn comes.
    fn queue<'h>(
        &self,
        mut hub: MutexGuard<'h, Hub>,
        index: usize,
        conn: Box<turn::Conn>,
        seen: Seen,
    ) -> MutexGuard<'h, Hub> {
        hub.put(index, conn);
        hub.requeue(index, seen);
        self.ring(&hub);
        hub
    }

    fn close<'h>(
        &'h self,
        mut hub: MutexGuard<'h, Hub>,
        index: usize,
        mut conn: Box<turn::Conn>,
    ) -> MutexGuard<'h, Hub> {
        hub.free(index);
        conn.let_go(&mut hub.users, &self.service.config.per_user);
        hub.count_end(&self.service, conn.uid(), conn.counts());
        if let Some(stop) = &mut hub.stop {
            stop.came_back(index);
        }
        let full = std::mem::take(&mut hub.accept_paused);
        // Closing a socket takes a while.
        drop(hub);
        drop(conn);
        if self.reserve.is_short() {
            self.reserve.fill(&self.bell);
        }
        if full {
            self.listen(true);
        }
        let hub = self.lock();
        if hub.stop.is_some() {
            // This may have been the last one.
            self.ring(&hub);
        }
        hub
    }
}
