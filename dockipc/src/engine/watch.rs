//! The watcher: sees that a stalled handler stalls nobody else.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use super::hub::Hub;
use super::run::Run;
use super::{Core, Worker, turn, wait, wait_for};

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
        let mut last: Option<(Arc<Worker>, u64, u64)> = None;
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
            let beat = leader.beat.load(Ordering::Relaxed);
            let turn = leader.turn.load(Ordering::Relaxed);
            let (same_turn, same_beat) = match &last {
                Some((worker, last_beat, last_turn)) if Arc::ptr_eq(worker, leader) => {
                    (*last_turn == turn, *last_beat == beat)
                }
                _ => (false, false),
            };
            if hub.polling {
                quiet = if same_turn { quiet + 1 } else { 0 };
            } else if same_beat {
                self.take_over(&mut hub, beat);
                break;
            } else if same_turn {
                leader.tired.store(true, Ordering::Relaxed);
            }
            last = Some((Arc::clone(leader), beat, turn));
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
    fn take_over(&self, hub: &mut Hub, beat: u64) {
        let Some(stalled) = hub.leader.take() else { return };
        stalled.leads.store(false, Ordering::Relaxed);
        let index = stalled.slot.load(Ordering::Relaxed);
        if let Some(what) = stalled.running.get() {
            self.service.table.speed(what).stalled();
            hub.count_run(index, &self.service.config.per_user);
        }
        // The answers to earlier commands don't wait for this one. If they are being written, it
        // has ended.
        if let Some(socket) = hub.served(index)
            && let Ok(mut out) = stalled.out.try_lock()
        {
            turn::send(socket, &mut out.bytes);
        }
        let since = Instant::now();
        hub.note_run(index, Run::new(&stalled, beat, since), Some(self.first_look(since)));
    }
}
