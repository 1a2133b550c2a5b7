//! The watcher: sees that a stalled handler stalls nobody else.

use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use super::hub::Hub;
use super::run::Run;
use super::worker::{StepId, TurnId, Worker};
use super::{Core, turn, wait, wait_for};

/// How often the watcher looks while there is work.
const TICK: Duration = Duration::from_millis(1);

/// After so many looks at an idle leader the watcher sleeps until there is work again.
const QUIET: u32 = 10;

impl Core {
    /// The watcher's work. Returns when there is no leader, so that this thread becomes it, or when
    /// it is drafted.
    pub(super) fn watch<'h>(
        self: &'h Arc<Self>,
        mut hub: MutexGuard<'h, Hub>,
    ) -> MutexGuard<'h, Hub> {
        let mut last: Option<(Arc<Worker>, StepId, TurnId)> = None;
        let mut quiet = 0;
        loop {
            if hub.ended {
                return hub;
            }
            if !hub.deferred.is_empty() {
                hub = self.muster(hub);
            }
            if std::mem::take(&mut hub.drafted) && !hub.deferred.is_empty() {
                break;
            }
            let Some(leader) = &hub.leader else { break };
            let step = leader.step();
            let turn = leader.turn();
            let (same_turn, same_step) = match &last {
                Some((worker, last_step, last_turn)) if Arc::ptr_eq(worker, leader) => {
                    (*last_turn == turn, *last_step == step)
                }
                _ => (false, false),
            };
            if hub.polling {
                quiet = if same_turn { quiet + 1 } else { 0 };
            } else if same_step {
                self.take_over(&mut hub, step);
                break;
            } else if same_turn {
                leader.ask_to_yield();
            }
            last = Some((Arc::clone(leader), step, turn));
            if quiet < QUIET {
                (hub, _) = wait_for(&self.watcher, hub, TICK);
            } else {
                hub.watcher_sleeps = true;
                hub = wait(&self.watcher, hub);
                hub.watcher_sleeps = false;
                quiet = 0;
                last = None;
            }
        }
        hub.watched = false;
        // The next watcher; without one, the first thread that comes back watches.
        self.muster(hub)
    }

    /// Takes the lead from a thread that is in one command for too long.
    fn take_over(&self, hub: &mut Hub, step: StepId) {
        let Some(stalled) = hub.leader.take() else { return };
        stalled.set_leads(false);
        let index = stalled.slot();
        if let Some(what) = stalled.running() {
            self.service.table.speed(what).stalled();
            hub.count_run(index, &self.service.config.per_user);
        }
        // The answers to earlier commands don't wait for this one. If they are being written, it
        // has ended.
        if let Some(socket) = hub.served(index)
            && let Some(mut out) = stalled.try_outbox()
        {
            turn::send(socket, &mut out.bytes);
        }
        let since = Instant::now();
        hub.note_run(index, Run::new(&stalled, step, since), Some(self.first_look(since)));
    }
}
