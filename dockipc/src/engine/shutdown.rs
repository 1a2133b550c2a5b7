//! Stopping the server.
//!
//! The path is released at once. Then, until the deadline, what has arrived is answered and running
//! commands may end ([`Step::Answering`]). After it, no command begins any more, clients of running
//! commands are told `-SHUTDOWN`, and clients have a moment to read that ([`Step::Ending`]).

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::Shutdown as Side;

use super::accept::TurnedAway;
use super::core::Core;
use super::hub_guard::HubGuard;
use crate::error::{Failure, Stopped, Unfinished, code};

/// A server that has been told to stop.
pub(super) struct Shutdown {
    /// Until when commands may run.
    deadline: Instant,
    step: Step,
    /// Connections, and so threads, in which a command runs that is not waited for.
    abandoned: Vec<usize>,
    unfinished: Vec<Unfinished>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The leader has not seen it yet.
    Requested,
    Answering,
    Ending,
}

/// How long clients have to read their last answers.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

impl Shutdown {
    fn new(deadline: Instant) -> Self {
        Self { deadline, step: Step::Requested, abandoned: Vec::new(), unfinished: Vec::new() }
    }

    /// When the next step is due.
    pub(super) fn next_step(&self) -> Instant {
        match self.step {
            Step::Requested | Step::Answering => self.deadline,
            Step::Ending => self.deadline + LAST_ANSWERS,
        }
    }

    /// How many threads are not waited for.
    pub(super) fn abandoned(&self) -> usize {
        self.abandoned.len()
    }

    pub(super) fn unfinished(&self) -> &[Unfinished] {
        &self.unfinished
    }

    /// A command that was not waited for has ended.
    pub(super) fn came_back(&mut self, index: usize) {
        self.abandoned.retain(|&other| other != index);
    }

    /// A command that is answered later was ended.
    pub(super) fn ended(&mut self, unfinished: Unfinished) {
        self.unfinished.push(unfinished);
    }

    fn abandon(&mut self, index: usize, unfinished: Unfinished) {
        if !self.abandoned.contains(&index) {
            self.abandoned.push(index);
            self.unfinished.push(unfinished);
        }
    }
}

impl Core {
    /// Tells the server to stop; commands may run `within` this time. To tell it again changes nothing,
    /// but for an earlier deadline.
    pub(super) fn stop(&self, within: Duration) {
        // Before anything else, so that a new daemon can take the path.
        for endpoint in &self.endpoints {
            endpoint.published.release();
        }
        let deadline = Instant::now() + within;
        let mut hub = self.lock();
        let shutdown = hub.shutdown.get_or_insert_with(|| Shutdown::new(deadline));
        shutdown.deadline = shutdown.deadline.min(deadline);
        self.wake_leader(&hub);
        // A thread that waits for the end leaves its loops.
        self.ended.notify_all();
    }

    /// Does what is due between turns. The server has ended when no connection is left that is waited
    /// for.
    #[cold]
    pub(super) fn wind_down(&self, hub: &mut HubGuard<'_>) {
        let only_listens = hub.only_listens();
        let Some(shutdown) = &mut hub.shutdown else { return };
        let is_due = shutdown.next_step() <= Instant::now();
        match shutdown.step {
            Step::Requested => {
                shutdown.step = Step::Answering;
                hub.accepting.resume_at = None;
                let last = hub.unlocked(|| {
                    let mut last = Vec::new();
                    for (index, endpoint) in self.endpoints.iter().enumerate() {
                        last.append(&mut self.close_endpoint(index, endpoint));
                    }
                    last
                });
                let turned_away = hub.add_all(&self.service, last);
                hub.wake_all();
                if let Some(taker) = &self.taker {
                    taker.end_input(hub);
                }
                hub.unlocked(|| turned_away.into_iter().for_each(TurnedAway::tell));
            }
            // Nothing is left that could publish an event for the connections that wait for one.
            Step::Answering if is_due || only_listens => {
                shutdown.deadline = shutdown.deadline.min(Instant::now());
                shutdown.step = Step::Ending;
                self.set_over();
                hub.recall_all();
                // Commands that are answered later are ended.
                hub.wake_all();
                self.abandon_running(hub);
            }
            Step::Ending if is_due => {
                let idle = hub.end_idle(&self.service);
                hub.unlocked(|| {
                    for mut conn in idle {
                        self.end_connection(&mut conn);
                    }
                });
                self.abandon_running(hub);
                let served = hub.all_served();
                if let Some(shutdown) = &mut hub.shutdown {
                    shutdown.abandoned = served;
                }
            }
            Step::Answering | Step::Ending => {}
        }
        let Some(shutdown) = &hub.shutdown else { return };
        // The jobs of commands that were ended have as long as their clients have for the last answers.
        let is_over = shutdown.step == Step::Ending && shutdown.next_step() <= Instant::now();
        let waits_for_jobs = hub.jobs.running() > 0 && !is_over;
        if hub.connections() == shutdown.abandoned() && !waits_for_jobs {
            hub.has_ended = true;
            let unfinished: Vec<_> = hub.jobs.unfinished().collect();
            if let Some(shutdown) = &mut hub.shutdown {
                for one in unfinished {
                    shutdown.ended(one);
                }
            }
            self.parked.notify_all();
            self.watcher.notify_all();
            self.ended.notify_all();
        }
    }

    /// Waits no longer for the commands that run, and tells their clients.
    fn abandon_running(&self, hub: &mut HubGuard<'_>) {
        let why = "the daemon stops without waiting for the command, which still runs";
        let failure = Failure::new(code::SHUTDOWN, why);
        for index in hub.all_served() {
            let Some((socket, run)) = hub.run(index) else { continue };
            let (socket, run) = (Arc::clone(socket), run.clone());
            let (what, ran_for) = (run.what(), run.ran_for());
            let answered = hub.unlocked(|| {
                let answered = run.answer(&socket, &failure);
                if answered {
                    run.stop(Stopped::ShuttingDown);
                    let _ = rustix::net::shutdown(&socket, Side::Write);
                }
                answered
            });
            // While the hub was unlocked the thread may have come back.
            if answered && hub.run(index).is_some_and(|(_, now)| now.is_same(&run)) {
                let name = what.map_or("", |what| self.service.table.name(what)).to_owned();
                if let Some(shutdown) = &mut hub.shutdown {
                    shutdown.abandon(index, Unfinished::new(name, ran_for));
                }
            }
        }
    }
}
