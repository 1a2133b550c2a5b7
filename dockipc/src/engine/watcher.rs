//! The watcher: a command that stalls the leader stalls no other client.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::core::Core;
use super::hub_guard::HubGuard;
use super::long_run::LongRun;
use super::output::send;
use super::worker::{StepId, TurnId, Worker};

/// How often the watcher looks while there is work.
const TICK: Duration = Duration::from_millis(1);

/// The looks at an idle leader after which the watcher sleeps until there is work again.
const QUIET: u32 = 10;

/// What the watcher saw of the leader.
struct Look {
    leader: Arc<Worker>,
    step: StepId,
    turn: TurnId,
}

impl Core {
    /// Watches until there is no leader, so that this thread becomes it, or until this thread must serve
    /// a connection.
    pub(super) fn watch(self: &Arc<Self>, hub: &mut HubGuard<'_>) {
        let mut last: Option<Look> = None;
        let mut quiet = 0;
        loop {
            if hub.has_ended {
                return;
            }
            if !hub.handed_over.is_empty() {
                self.recruit(hub);
            }
            let must_serve = std::mem::take(&mut hub.roles.watcher_must_serve);
            if must_serve && !hub.handed_over.is_empty() {
                break;
            }
            let Some(leader) = &hub.roles.leader else { break };
            let look =
                Look { leader: Arc::clone(leader), step: leader.step(), turn: leader.turn() };
            let last_look = last.filter(|last| Arc::ptr_eq(&last.leader, &look.leader));
            let same_turn = last_look.as_ref().is_some_and(|last| last.turn == look.turn);
            let same_step = last_look.as_ref().is_some_and(|last| last.step == look.step);
            if hub.roles.is_polling {
                quiet = if same_turn { quiet + 1 } else { 0 };
            } else if same_step {
                self.take_over(hub, look.step);
                break;
            } else if same_turn {
                look.leader.ask_to_yield();
            }
            last = Some(look);
            if quiet < QUIET {
                hub.wait_for(&self.watcher, TICK);
            } else {
                hub.roles.watcher_sleeps = true;
                hub.wait(&self.watcher);
                hub.roles.watcher_sleeps = false;
                quiet = 0;
                last = None;
            }
        }
        hub.roles.has_watcher = false;
        // Another thread watches. If there is none, the first one that comes back does.
        self.recruit(hub);
    }

    /// Takes the lead from a thread that has been in one command for too long.
    fn take_over(&self, hub: &mut HubGuard<'_>, step: StepId) {
        let Some(stalled) = hub.roles.leader.take() else { return };
        stalled.set_leads(false);
        let index = stalled.slot();
        let limits = &self.service.config.per_user;
        if let Some(what) = stalled.running() {
            self.service.table.speed(what).stalled();
            hub.charge_run(index, limits);
        }
        let since = Instant::now();
        let socket = hub.served(index).cloned();
        let run = LongRun::new(&stalled, step, since, since);
        let look = self.first_look(&run);
        hub.note_run(index, run, Some(look));
        // Answers to earlier commands of the turn do not wait for this one.
        if let Some(socket) = socket {
            hub.unlocked(|| {
                if let Some(mut outbox) = stalled.outbox_during(step) {
                    send(&socket, &mut outbox.bytes);
                }
            });
        }
    }
}
