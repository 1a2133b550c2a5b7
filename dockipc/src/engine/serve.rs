//! Serving one connection: taking it out of the hub, giving it turns, putting it back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::connection::Conn;
use super::core::Core;
use super::hub_guard::HubGuard;
use super::input::Memory;
use super::readiness::Readiness;
use super::ready::WAKE;
use super::turn::Next;
use super::worker::Worker;

impl Core {
    /// Gives one connection a turn, or, if this thread does not lead, as many as it needs.
    pub(super) fn serve(
        self: &Arc<Self>,
        hub: &mut HubGuard<'_>,
        index: usize,
        me: &Arc<Worker>,
        memory: &mut Memory,
    ) {
        let Some((mut conn, mut readiness)) = hub.take(index) else { return };
        let limits = &self.service.config.per_user;
        loop {
            me.serve(Some(index));
            let server_stops = hub.shutdown.is_some();
            let next = hub.unlocked_in_turn(|| {
                if server_stops {
                    conn.stop();
                }
                loop {
                    let turn = || self.turn(me, memory, &mut conn, readiness, server_stops);
                    let mut next = catch_unwind(AssertUnwindSafe(turn))
                        .unwrap_or_else(|_| Self::recover(me, &mut conn));
                    if next == Next::Close {
                        next = self.release(me, &mut conn);
                    }
                    memory.end_turn();
                    let answered = std::mem::take(&mut memory.answered);
                    self.service.counters.answered(me.thread.number(), answered);
                    if !(me.stays() && next == Next::Wait && self.stays_on(me, memory, &mut conn)) {
                        break next;
                    }
                    readiness = Readiness::NONE;
                }
            });
            me.serve(None);
            let locked = &mut **hub;
            if conn.cost < WAKE {
                locked.roles.note_quick();
            } else {
                locked.ready.spent(conn.cost);
            }
            let may_stay = me.stays() || conn.stay.is_worth_it();
            if next == Next::Wait && conn.awaited.is_none() && limits.bytes.is_none() && !may_stay {
                match locked.put_waiting(index, conn) {
                    Some(back) => conn = back,
                    None => return,
                }
            }
            if next == Next::Close {
                locked.leave_run(index, limits);
            } else if conn.awaited.is_none() {
                locked.end_run(index, limits);
            }
            match next {
                Next::Close => return self.close(hub, index, conn),
                Next::HandOver => {
                    if let Err(failure) = hub.begin_run(index, limits) {
                        conn.denied = Some(failure);
                        readiness = Readiness::NONE;
                        continue;
                    }
                    conn.stay.give_up();
                    self.end_stay(hub, &mut conn);
                    return self.hand_over(hub, index, conn);
                }
                Next::Wait | Next::Again => {}
            }
            // Also before another turn, since the others may hold as much by then.
            let waits = next == Next::Wait || conn.needs_input || conn.has_pending_output();
            if waits && !conn.charge(&mut hub.users, limits) {
                if conn.has_pending_output() {
                    conn.phase.close();
                }
                readiness = Readiness::NONE;
                continue;
            }
            if may_stay {
                // Before the look at the hub: what comes after it is news again.
                me.set_news(false);
                if self.may_stay(hub, me, &conn) {
                    if me.stays() {
                        self.stay(hub, &mut conn);
                        readiness = hub.resume(index, true).unwrap_or(Readiness::NONE);
                        continue;
                    }
                    if next == Next::Wait {
                        hub.set_apart(index, conn);
                        return self.watcher.notify_one();
                    }
                }
                self.end_stay(hub, &mut conn);
            }
            if let Some(unseen) = hub.resume(index, next == Next::Again) {
                if !me.leads() && hub.handed_over.is_empty() {
                    // Another thread leads, and no connection waits for this one.
                    readiness = unseen;
                    continue;
                }
                hub.requeue(index, conn, unseen);
                if !me.leads() {
                    self.wake_leader(hub);
                }
                return;
            }
            // A leader looks at the timers itself before it waits for events.
            if hub.set_timer(index, conn.deadline.map(|deadline| deadline.at)) && !me.leads() {
                self.wake_leader(hub);
            }
            return hub.put(index, conn);
        }
    }

    /// Lets another thread run the connection's slow command.
    fn hand_over(self: &Arc<Self>, hub: &mut HubGuard<'_>, index: usize, conn: Box<Conn>) {
        let look = conn.next_look();
        hub.hand_over(index, conn);
        if hub.set_timer(index, look) {
            self.wake_leader(hub);
        }
        self.recruit(hub);
    }

    fn close(&self, hub: &mut HubGuard<'_>, index: usize, mut conn: Box<Conn>) {
        hub.roles.end_stay(&mut conn.stay);
        hub.free(index, conn.cost);
        conn.discharge(&mut hub.users, &self.service.config.per_user);
        hub.count_end(&self.service, conn.uid(), conn.is_admitted);
        if let Some(shutdown) = &mut hub.shutdown {
            shutdown.came_back(index);
        }
        let was_paused = std::mem::take(&mut hub.accepting.is_paused);
        hub.unlocked(|| {
            drop(conn);
            if self.reserve.is_short() {
                self.reserve.fill(&self.wake);
            }
            if was_paused {
                self.listen(true);
            }
        });
        if hub.shutdown.is_some() {
            // This may have been the last one.
            self.wake_leader(hub);
        }
    }
}
