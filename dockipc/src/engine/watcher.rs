//! The watcher: a command that stalls the leader stalls no other client.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::core::Core;
use super::hub_guard::HubGuard;
use super::long_run::LongRun;
use super::output::send;
use super::worker::{StepId, TurnId, Worker};
use crate::commands::QUICK_COMPUTING;
use crate::proc::small_text;
use crate::run::Run;
use crate::sys::ThreadId;

/// How often the watcher looks while there is work.
pub(super) const TICK: Duration = Duration::from_millis(1);

/// How often it looks at the threads that stay with a connection, at the most. No other one waits for them.
const SELDOM: Duration = Duration::from_millis(100);

/// The looks at an idle leader after which the watcher sleeps until there is work again.
const QUIET: u32 = 10;

/// A leader's state at one look of the watcher's.
struct Look {
    leader: Arc<Worker>,
    step: StepId,
    turn: TurnId,
    /// Whether it waits for events.
    polls: bool,
    /// The CPU time of its thread, if it does not wait for events.
    cpu: Duration,
}

impl Look {
    fn new(leader: &Arc<Worker>) -> Self {
        let (step, turn, polls) = (leader.step(), leader.turn(), leader.polls());
        Self { leader: Arc::clone(leader), step, turn, polls, cpu: Duration::ZERO }
    }

    /// Reads the CPU time. A system call, for which the hub is unlocked: a leader needs it in each turn.
    fn read_cpu(&mut self) {
        if !self.polls {
            self.cpu = self.leader.thread.cpu();
        }
    }

    /// Returns the same leader's look among those before.
    fn earlier<'l>(&self, last: &'l [Self]) -> Option<&'l Self> {
        last.iter().find(|last| Arc::ptr_eq(&last.leader, &self.leader))
    }

    /// Returns whether the leader has been in the same step since the `earlier` look, in which it did not wait for
    /// events. A step of one that did has just begun, and its CPU time before is not known.
    fn is_in_step_since(&self, earlier: &Self) -> bool {
        // Not the step of this look: the hub was unlocked if another leader was stuck.
        !earlier.polls && earlier.step == self.leader.step()
    }

    /// Returns whether this leader is not `stalled`, and waits for events or has begun a turn since the look
    /// before.
    fn serves_others(&self, stalled: &Self, last: &[Self]) -> bool {
        let is_other = !Arc::ptr_eq(&self.leader, &stalled.leader) && self.leader.leads();
        let has_moved = || self.earlier(last).is_some_and(|last| last.turn != self.leader.turn());
        is_other && (self.leader.polls() || has_moved())
    }
}

/// Returns whether a thread has a CPU or waits for one, and for nothing else. False if that is unknown.
fn is_runnable(thread: ThreadId) -> bool {
    // proc_pid_stat(5): the state follows the name, which is in brackets.
    let text = small_text(&format!("/proc/self/task/{}/stat", thread.number())).unwrap_or_default();
    text.rsplit(')').next().is_some_and(|rest| rest.starts_with(" R"))
}

impl Core {
    /// Watches until there is no leader, so that this thread becomes one, or until this thread must serve
    /// a connection.
    pub(super) fn watch(self: &Arc<Self>, hub: &mut HubGuard<'_>) {
        // Both keep their memory: this thread looks every millisecond.
        let (mut last, mut looks): (Vec<Look>, Vec<Look>) = Default::default();
        let (mut staying, mut looked_at) = (Vec::new(), None);
        let mut quiet = 0;
        let limit = self.service.config.times.run;
        let seldom = limit.map_or(SELDOM, |limit| (limit / 8).clamp(TICK, SELDOM));
        loop {
            if hub.has_ended {
                return;
            }
            if hub.has_work_for_a_worker() {
                self.recruit(hub);
            }
            if !hub.apart.is_empty() {
                self.start_staying(hub);
            }
            // All that unlocks the hub comes before the look at the leaders.
            if !(staying.is_empty() && hub.roles.staying.is_empty())
                && looked_at.is_none_or(|at: Instant| at.elapsed() >= seldom)
            {
                self.look_at_staying(hub, &mut staying);
                looked_at = Some(Instant::now());
            }
            let must_serve = std::mem::take(&mut hub.roles.watcher_must_serve);
            if must_serve && hub.has_work_for_a_worker() {
                break;
            }
            looks.clear();
            looks.extend(hub.roles.leaders.iter().map(Look::new));
            let mut is_quiet = hub.apart.is_empty();
            for look in &looks {
                let earlier = look.earlier(&last);
                let same_turn = earlier.is_some_and(|earlier| earlier.turn == look.turn);
                let same_step = earlier.is_some_and(|earlier| look.is_in_step_since(earlier));
                let last_cpu = earlier.map_or(Duration::ZERO, |earlier| earlier.cpu);
                if !look.leader.leads() {
                    continue;
                }
                // Invariant: the watcher sleeps only if each leader polls, at a look after which the hub was not
                // unlocked. A leader wakes it when it begins a turn: one that has begun already would not.
                is_quiet &= look.leader.polls() && same_turn;
                if look.leader.polls() {
                    continue;
                }
                if same_step {
                    let is_alone = !looks.iter().any(|other| other.serves_others(look, &last));
                    self.take_over(hub, look, last_cpu, is_alone);
                } else if same_turn {
                    look.leader.ask_to_yield();
                }
            }
            if hub.roles.leaders.is_empty() {
                break;
            }
            std::mem::swap(&mut last, &mut looks);
            quiet = if is_quiet { quiet + 1 } else { 0 };
            if quiet < QUIET {
                hub.unlocked(|| last.iter_mut().for_each(Look::read_cpu));
                hub.wait_for(&self.watcher, TICK);
            } else if !hub.roles.staying.is_empty() {
                hub.roles.watcher_sleeps = true;
                let is_called = hub.wait_for(&self.watcher, seldom);
                hub.roles.watcher_sleeps = false;
                quiet = if is_called { 0 } else { QUIET };
            } else {
                last.clear();
                looks.clear();
                hub.roles.watcher_sleeps = true;
                hub.wait(&self.watcher);
                hub.roles.watcher_sleeps = false;
                quiet = 0;
            }
        }
        hub.roles.has_watcher = false;
        hub.recall_apart();
        // Another thread watches. If there is none, the first one that comes back does.
        self.recruit(hub);
    }

    /// Takes the role from the threads that have been in one command since the `last` look, and ends the turns of those
    /// that are in a pipeline. The leaders serve the rest of it.
    #[cold]
    fn look_at_staying(&self, hub: &mut HubGuard<'_>, last: &mut Vec<Look>) {
        let mut looks: Vec<_> = hub.roles.staying.iter().map(Look::new).collect();
        for look in &looks {
            let Some(earlier) = look.earlier(last) else { continue };
            if !look.is_in_step_since(earlier) {
                if earlier.turn == look.turn {
                    look.leader.ask_to_yield();
                }
            } else if look.leader.running().is_some() {
                self.take_over(hub, look, earlier.cpu, false);
            }
        }
        hub.unlocked(|| looks.iter_mut().for_each(Look::read_cpu));
        *last = looks;
    }

    /// Takes the lead from a thread that has been in one command for too long.
    /// `cpu` is the thread's CPU time at the look before. `is_alone` tells that no other leader serves
    /// connections.
    fn take_over(&self, hub: &mut HubGuard<'_>, look: &Look, cpu: Duration, is_alone: bool) {
        let Look { leader: stalled, step, .. } = look;
        // If the machine is busy, a quick command may only wait for a CPU.
        let (now, is_slow) = hub.unlocked(|| {
            let now = stalled.thread.cpu();
            (now, now.saturating_sub(cpu) > QUICK_COMPUTING || !is_runnable(stalled.thread))
        });
        if !stalled.leads() || stalled.step() != *step {
            return;
        }
        // It only waits for a CPU, and nobody for it; or it is in no command: one thread more would wait as well, and
        // make all wait longer.
        if !is_slow && !is_alone && (stalled.stays() || stalled.running().is_none()) {
            return;
        }
        hub.roles.remove_leader(stalled);
        let index = stalled.slot();
        let limits = &self.service.config.per_user;
        if let Some(what) = stalled.running() {
            if is_slow {
                self.service.table.speed(what).stalled();
            } else {
                stalled.suspect(now);
            }
            hub.charge_run(index, limits);
        }
        let since = Instant::now();
        let socket = hub.served(index).cloned();
        let mut run = LongRun::new(stalled, *step, since, since);
        let is_known = hub.run(index).is_some_and(|(_, earlier)| earlier.is_same(&run));
        if let Some(what) = stalled.running()
            && let id @ 1.. = stalled.request()
            && !is_known
            && let Some((connection, peer)) = hub.client(index)
        {
            let name = self.service.table.name(what);
            run.list(&self.service, Run::new(id, name, connection, peer));
        }
        let look = self.first_look(&run);
        let (_, earlier) = hub.note_run(index, run, Some(look));
        hub.unlocked(|| drop(earlier));
        // The other leaders may have begun to wait before this timer was set, or one of the stalled one's.
        self.wake_leader(hub);
        // Answers to earlier commands of the turn do not wait for this one.
        if let Some(socket) = socket {
            hub.unlocked(|| {
                if let Some(mut outbox) = stalled.outbox_during(*step) {
                    send(&socket, &mut outbox.bytes);
                }
            });
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn leader_that_waited_for_events_is_not_stuck_at_once() {
        let leader = Arc::new(Worker::new());
        leader.set_polls(true);
        let waits = Look::new(&leader);
        leader.set_polls(false);
        let mut comes = Look::new(&leader);
        comes.read_cpu();
        assert!(!comes.is_in_step_since(&waits), "its CPU time was not read");
        assert!(Look::new(&leader).is_in_step_since(&comes));
        leader.begin_turn();
        assert!(!Look::new(&leader).is_in_step_since(&comes));
    }
}
