//! A thread's life, and which role it has.
//!
//! A thread takes the role that is missing: a leader, a worker for a connection that waits for a thread, or
//! the watcher. Without a role it parks for a moment and then ends. At rest there are two threads, a leader
//! and the watcher.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::core::Core;
use super::hub::Hub;
use super::hub_guard::HubGuard;
use super::input::Memory;
use super::ready::{SPARE, WAKE};
use super::stay::{FIRST, MOST_AFTER_SHORT, Stay};
use super::worker::Worker;
use crate::commands::Cost;
use crate::sys;

/// Which thread has which role. Part of the hub.
#[derive(Default)]
pub(super) struct Roles {
    /// The longest in the role first. It alone takes the steps of a shutdown.
    pub(super) leaders: Vec<Arc<Worker>>,
    /// Threads that stay with one connection each.
    pub(super) staying: Vec<Arc<Worker>>,
    /// The turns that each connection needs before a thread stays with it.
    pub(super) needed_turns: u32,
    /// Leaders that look or wait for events, or are about to: if all do, one must be woken to see a change
    /// of the hub.
    pub(super) polling: usize,
    /// Those of them that wait until there is an event.
    sleeping: usize,
    /// Leaders in a turn that is expected to be a long one.
    away: usize,
    /// Looks for events since a quick connection was served.
    quick_ago: u32,
    /// How many were served since when.
    quick: u32,
    quick_since: Option<Instant>,
    /// Whether there were many in the time before.
    had_many_quick: bool,
    /// A sleeping leader was woken for a connection that is ready, and has not come yet.
    is_woken: bool,
    /// Another leader is needed.
    needs_leader: bool,
    /// There is a watcher.
    pub(super) has_watcher: bool,
    /// The watcher sleeps until there is work.
    pub(super) watcher_sleeps: bool,
    /// The watcher is to serve a connection that waits for a thread, since there is no other thread and
    /// none can be started.
    pub(super) watcher_must_serve: bool,
    /// Threads that are parked and have not been called.
    parked: usize,
    /// Parked threads that have been called and have not woken up yet.
    called: usize,
    /// All threads.
    pub(super) threads: usize,
    /// Threads that have been started and do not run yet.
    starting: usize,
    /// Those that have been started to stay with a connection, and have taken none yet.
    pub(super) starting_to_stay: usize,
}

impl Roles {
    /// Returns whether this leader has the duties that only one has.
    pub(super) fn is_first(&self, worker: &Arc<Worker>) -> bool {
        self.leaders.first().is_some_and(|first| Arc::ptr_eq(first, worker))
    }

    pub(super) fn add_leader(&mut self, worker: &Arc<Worker>) {
        worker.set_leads(true);
        self.needs_leader = false;
        self.leaders.push(Arc::clone(worker));
    }

    /// Ends the role of a leader, or of a thread that stays with a connection.
    pub(super) fn remove_leader(&mut self, worker: &Arc<Worker>) {
        self.set_away(worker, false);
        worker.set_leads(false);
        worker.set_stays(false);
        self.leaders.retain(|leader| !Arc::ptr_eq(leader, worker));
        self.staying.retain(|staying| !Arc::ptr_eq(staying, worker));
    }

    /// A thread that is no leader begins to stay with one connection.
    pub(super) fn add_staying(&mut self, worker: &Arc<Worker>) {
        worker.set_leads(true);
        worker.set_stays(true);
        self.staying.push(Arc::clone(worker));
    }

    /// Returns whether a thread has stayed with the connection until now.
    pub(super) fn end_stay(&mut self, stay: &mut Stay) -> bool {
        let was_long = stay.end();
        match was_long {
            None => {}
            Some(true) => self.needed_turns /= 2,
            Some(false) => {
                let twice = self.needed_turns.max(FIRST) * 2;
                self.needed_turns = twice.min(MOST_AFTER_SHORT);
            }
        }
        was_long.is_some()
    }

    /// Has each thread that stays look at the hub after its turn.
    pub(super) fn tell_staying(&self) {
        self.staying.iter().for_each(|worker| worker.set_news(true));
    }

    /// Has the thread do so that stays with this connection, if one does.
    pub(super) fn tell_staying_with(&self, index: usize) {
        self.staying
            .iter()
            .filter(|worker| worker.slot() == index)
            .for_each(|worker| worker.set_news(true));
    }

    /// A quick connection was served.
    #[inline]
    pub(super) fn note_quick(&mut self) {
        self.quick_ago = 0;
        self.quick = self.quick.saturating_add(1);
        if self.quick == MANY_QUICK {
            self.tell_staying();
        }
    }

    /// Returns whether few quick connections were served lately. The clock is read only if one was.
    pub(super) fn has_few_quick(&mut self) -> bool {
        if self.quick == 0 && !self.had_many_quick {
            return true;
        }
        let time = self.quick_since.get_or_insert_with(Instant::now).elapsed();
        let is_over = time >= LATELY;
        if is_over || self.quick >= MANY_QUICK {
            // A long time began when nobody asked: as many in the next short one decide.
            let times = (time.as_millis() / LATELY.as_millis()).max(1);
            self.had_many_quick = u128::from(self.quick) >= u128::from(MANY_QUICK) * times;
        }
        if is_over {
            self.quick = 0;
            self.quick_since = Some(Instant::now());
        }
        !self.had_many_quick
    }

    /// A thread begins or ends a turn that is expected to be a long one.
    pub(super) fn set_away(&mut self, worker: &Worker, is_away: bool) {
        if worker.leads() {
            self.away -= usize::from(worker.is_away());
            self.away += usize::from(is_away);
        }
        worker.set_away(is_away);
    }

    /// Returns whether a further leader may begin a long turn. The leader that is one more than the cores
    /// serves only quick connections.
    pub(super) fn may_be_long(&self, max_leaders: usize) -> bool {
        self.away < max_leaders
    }

    /// A leader begins to look for events.
    pub(super) fn begin_poll(&mut self, worker: &Worker, sleeps: bool) {
        worker.set_polls(true);
        self.polling += 1;
        self.sleeping += usize::from(sleeps);
    }

    /// `was_called` tells whether it was this leader that [`Core::wake_leader`] has reached, as it may be
    /// although another one sleeps.
    pub(super) fn end_poll(&mut self, worker: &Worker, slept: bool, was_called: bool) {
        worker.set_polls(false);
        self.quick_ago = self.quick_ago.saturating_add(1);
        self.polling -= 1;
        self.sleeping -= usize::from(slept);
        self.is_woken &= !slept && !was_called;
    }

    /// Decides who else is to serve connections, when a leader begins with one of this cost. `has_work` tells
    /// whether work waits that is worth sharing.
    pub(super) fn share(&mut self, cost: Cost, has_work: bool, max_leaders: usize) -> Share {
        let is_long = cost >= WAKE;
        let has_work = has_work && self.away + usize::from(is_long) < max_leaders;
        if self.sleeping > 0 {
            // The kernel wakes it if there is an event meanwhile.
            if !has_work || self.is_woken {
                return Share::No;
            }
            self.is_woken = true;
            return Share::Wake;
        }
        // One that looks for events comes for the work at once.
        let is_needed = (is_long || has_work) && self.polling == 0;
        // One more looks for quick connections while the others are away for long.
        let spare = usize::from(cost >= SPARE && max_leaders > 1 && self.quick_ago < QUICK_AGO);
        if !is_needed || self.leaders.len() >= max_leaders + spare {
            return Share::No;
        }
        self.needs_leader = true;
        Share::Recruit
    }

    /// Returns whether no thread is about to take a role.
    pub(super) fn nobody_comes(&self) -> bool {
        self.called + self.starting + self.parked == 0
    }

    /// Returns whether there is a leader more than the cores, and no quick work for it.
    pub(super) fn has_idle_spare(&self, max_leaders: usize) -> bool {
        self.leaders.len() > max_leaders && self.quick_ago >= QUICK_AGO
    }

    /// Returns whether a leader that has found no work worth sharing is one too many: the others are quick. One
    /// that sleeps counts as well, since the kernel wakes it for each event that comes during a turn of this one.
    pub(super) fn is_one_too_many(&self) -> bool {
        self.leaders.len() > 1 && self.away == 0
    }
}

/// The quick connections served in this time from which no thread stays with a long one.
const MANY_QUICK: u32 = 32;
const LATELY: Duration = Duration::from_millis(250);

/// The looks for events after which quick work is no longer expected.
const QUICK_AGO: u32 = 64;

/// How another leader comes to share the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// It doesn't.
    No,
    /// One that waits for events is woken.
    Wake,
    /// A thread without a role is recruited.
    Recruit,
}

/// How a thread for a missing role is had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recruit {
    /// No role is missing, one has been called already, or there may be no more threads.
    No,
    /// A parked one.
    Parked,
    /// A new one.
    New,
}

/// How long a thread without a role stays at least.
const PARK: Duration = Duration::from_secs(1);

/// The additional time for each thread that is parked already, for so many at most. Threads that end together would
/// all wait for the hub's lock, and a leader would wait for it behind them.
const PARK_APART: Duration = Duration::from_millis(1);
const APART: u32 = 1000;

thread_local! {
    /// On a thread of an engine, the process's number of [`forks`](sys::forks): a command's forked child
    /// may run a server.
    static ENGINE_THREAD: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Whether the caller is a thread of an engine, which must not wait for the engine's threads.
pub(super) fn is_engine_thread() -> bool {
    ENGINE_THREAD.get() == Some(sys::forks())
}

impl Core {
    /// Starts a thread. `stays` tells whether it begins with staying with a connection.
    pub(super) fn spawn(self: &Arc<Self>, hub: &mut HubGuard<'_>, stays: bool) -> io::Result<()> {
        hub.roles.threads += 1;
        hub.roles.starting += 1;
        hub.roles.starting_to_stay += usize::from(stays);
        let core = Arc::clone(self);
        let spawned = hub.unlocked(|| {
            thread::Builder::new()
                .name("dockipc".into())
                .spawn(move || core.run_thread(stays))
                .map(drop)
        });
        if spawned.is_err() {
            hub.roles.threads -= 1;
            hub.roles.starting -= 1;
            hub.roles.starting_to_stay -= usize::from(stays);
        }
        spawned
    }

    /// Takes the role that is missing, until none is.
    fn run_thread(self: Arc<Self>, stays: bool) {
        ENGINE_THREAD.set(Some(sys::forks()));
        let me = Arc::new(Worker::new());
        let mut memory = Memory::new();
        let mut hub = self.lock();
        hub.roles.starting -= 1;
        if stays && !hub.has_ended {
            self.begin_stay(&mut hub, &me, &mut memory);
        }
        while !hub.has_ended {
            if hub.roles.leaders.is_empty() {
                self.lead(&mut hub, &me, &mut memory);
            } else if let Some(index) = self.next_handed_over(&mut hub) {
                // This thread may be away for long.
                self.recruit(&mut hub);
                self.serve(&mut hub, index, &me, &mut memory);
                if hub.shutdown.is_some() {
                    // It may have been the last command.
                    self.wake_leader(&hub);
                }
            } else if let Some(job) = self.next_job(&mut hub) {
                self.recruit(&mut hub);
                self.run_job(&mut hub, job);
            } else if !hub.roles.has_watcher {
                hub.roles.has_watcher = true;
                self.watch(&mut hub);
            } else if hub.roles.needs_leader {
                self.lead(&mut hub, &me, &mut memory);
            // One that has stayed ends: each stay has a new one, and parked ones that are called now and then would
            // not end.
            } else if stays || !self.park(&mut hub) {
                break;
            }
        }
        hub.roles.threads -= 1;
        self.ended.notify_all();
        #[cfg(feature = "tokio")]
        if hub.has_ended {
            let waiting = std::mem::take(&mut hub.waiting);
            drop(hub);
            waiting.into_iter().for_each(std::task::Waker::wake);
        }
    }

    /// The next connection that waits for a thread. Without a watcher one thread is kept for that role.
    fn next_handed_over(&self, hub: &mut Hub) -> Option<usize> {
        if self.may_serve(hub) { hub.handed_over.pop_front() } else { None }
    }

    /// Returns whether a thread may be away for long.
    pub(super) fn may_serve(&self, hub: &Hub) -> bool {
        hub.roles.has_watcher || hub.roles.threads < self.max_threads
    }

    /// Waits for a role. False if none was missing for a while.
    fn park(&self, hub: &mut HubGuard<'_>) -> bool {
        let others = u32::try_from(hub.roles.parked).unwrap_or(APART).min(APART);
        let time = PARK + PARK_APART * others;
        hub.roles.parked += 1;
        loop {
            let was_notified = hub.wait_for(&self.parked, time);
            if hub.roles.called > 0 {
                hub.roles.called -= 1;
                return true;
            }
            if hub.has_ended || !was_notified {
                hub.roles.parked -= 1;
                return false;
            }
        }
    }

    /// Wakes or starts a thread if a role is missing: the watcher's, that of a worker for a waiting
    /// connection, or a leader's. One thread comes at a time, and looks for the next.
    pub(super) fn recruit(self: &Arc<Self>, hub: &mut HubGuard<'_>) {
        match self.whom_to_recruit(hub) {
            Recruit::No => {}
            Recruit::Parked => {
                hub.roles.parked -= 1;
                hub.roles.called += 1;
                self.parked.notify_one();
            }
            Recruit::New => {
                let spawned = self.spawn(hub, false);
                hub.roles.needs_leader &= spawned.is_ok();
                if spawned.is_err() && hub.roles.has_watcher && hub.has_work_for_a_worker() {
                    hub.roles.watcher_must_serve = true;
                    self.watcher.notify_one();
                }
            }
        }
        if hub.has_work_for_a_worker() && hub.roles.nobody_comes() {
            hub.roles.tell_staying();
        }
    }

    fn whom_to_recruit(&self, hub: &Hub) -> Recruit {
        let roles = &hub.roles;
        let is_missing = !roles.has_watcher || roles.needs_leader || hub.has_work_for_a_worker();
        if !is_missing || roles.called + roles.starting > 0 {
            Recruit::No
        } else if roles.parked > 0 {
            Recruit::Parked
        } else if roles.has_watcher && roles.threads >= self.max_threads {
            // The watcher is always needed: the limit is for workers.
            Recruit::No
        } else {
            Recruit::New
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const CORES: usize = 2;

    #[test]
    fn leaders_are_as_many_as_cores_and_one_for_quick_work() {
        let mut roles = Roles::default();
        let workers = [(); CORES + 1].map(|()| Arc::new(Worker::new()));
        let [one, two, spare] = &workers;
        roles.add_leader(one);
        assert_eq!(roles.share(Cost::default(), false, CORES), Share::No);
        assert_eq!(roles.share(WAKE, false, CORES), Share::Recruit);
        roles.set_away(one, true);
        roles.add_leader(two);
        assert!(roles.may_be_long(CORES));
        assert_eq!(roles.share(WAKE, true, CORES), Share::No);
        assert_eq!(roles.share(SPARE, true, CORES), Share::Recruit);
        roles.set_away(two, true);
        roles.add_leader(spare);
        assert!(!roles.may_be_long(CORES));
        roles.begin_poll(spare, true);
        // It is not woken for long work.
        roles.set_away(one, false);
        assert_eq!(roles.share(SPARE, true, CORES), Share::No);
        for _ in 0..=QUICK_AGO {
            roles.end_poll(spare, true, false);
            roles.begin_poll(spare, true);
        }
        roles.end_poll(spare, true, false);
        assert!(roles.has_idle_spare(CORES));
        roles.remove_leader(spare);
        // Without quick work none takes its place.
        assert_eq!(roles.share(SPARE, true, CORES), Share::No);
    }

    #[test]
    fn sleeping_leader_is_woken_once_for_work_that_waits() {
        let mut roles = Roles::default();
        let [one, two] = [(); 2].map(|()| Arc::new(Worker::new()));
        roles.add_leader(&one);
        roles.add_leader(&two);
        roles.begin_poll(&two, true);
        assert!(roles.is_one_too_many(), "the kernel wakes it for each event");
        assert_eq!(roles.share(WAKE, false, CORES), Share::No, "the kernel wakes it");
        assert_eq!(roles.share(WAKE, true, CORES), Share::Wake);
        assert_eq!(roles.share(WAKE, true, CORES), Share::No);
        // Another leader has read the call.
        roles.begin_poll(&one, false);
        roles.end_poll(&one, false, true);
        assert_eq!(roles.share(WAKE, true, CORES), Share::Wake);
        roles.end_poll(&two, true, true);
        // A leader that was taken over no longer counts.
        roles.set_away(&one, true);
        roles.remove_leader(&one);
        roles.set_away(&one, false);
        assert!(roles.may_be_long(1));
    }

    #[test]
    fn thread_that_stays_is_no_leader() {
        let mut roles = Roles::default();
        let [one, two] = [(); 2].map(|()| Arc::new(Worker::new()));
        roles.add_leader(&one);
        roles.add_staying(&two);
        assert!(two.leads() && two.stays() && roles.leaders.len() == 1);
        roles.remove_leader(&two);
        assert!(!two.leads() && !two.stays() && roles.staying.is_empty());
    }

    #[test]
    fn short_stays_make_the_next_ones_rarer() {
        let mut roles = Roles::default();
        let stays = |roles: &mut Roles, turns| {
            let mut stay = Stay::default();
            stay.begin();
            (0..turns).for_each(|_| stay.note(WAKE, WAKE));
            assert!(roles.end_stay(&mut stay) && !roles.end_stay(&mut stay));
            roles.needed_turns
        };
        assert_eq!(stays(&mut roles, 1), 2 * FIRST);
        assert!((0..9).all(|_| stays(&mut roles, 1) > FIRST));
        assert_eq!(roles.needed_turns, MOST_AFTER_SHORT);
        assert_eq!(stays(&mut roles, 1000), MOST_AFTER_SHORT / 2);
        assert!((0..9).any(|_| stays(&mut roles, 1000) < FIRST));
    }

    #[test]
    fn many_quick_connections_are_remembered_for_a_while() {
        let mut roles = Roles::default();
        let serve = |roles: &mut Roles, quick| (0..quick).for_each(|_| roles.note_quick());
        let later = |roles: &mut Roles, times| {
            let before = roles.quick_since.get_or_insert_with(Instant::now);
            *before = before.checked_sub(LATELY * times).unwrap();
        };
        assert!(roles.has_few_quick());
        serve(&mut roles, MANY_QUICK - 1);
        assert!(roles.has_few_quick());
        serve(&mut roles, 1);
        assert!(!roles.has_few_quick() && !roles.has_few_quick());
        later(&mut roles, 1);
        assert!(!roles.has_few_quick(), "there were many until now");
        later(&mut roles, 1);
        assert!(roles.has_few_quick());
        // As many in a longer time.
        roles.has_few_quick();
        serve(&mut roles, MANY_QUICK);
        later(&mut roles, 2);
        assert!(roles.has_few_quick());
    }
}
