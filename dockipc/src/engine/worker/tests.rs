//! The hand-over between a thread and those that watch it. With `RUSTFLAGS="--cfg loom"` loom tries
//! every order in which the threads' steps can happen; without it each model runs many times.

use super::*;
use crate::commands::Runnable;

#[cfg(loom)]
use loom::{model, sync::Arc, thread};
#[cfg(not(loom))]
use std::{sync::Arc, thread};

#[cfg(not(loom))]
fn model(run: impl Fn() + Send + Sync + 'static) {
    (0..1000).for_each(|_| run());
}

/// Bytes that a client would get: `c` for a command's own answer, `o` for another thread's.
fn answer_own(worker: &Worker, own: u8) {
    let mut outbox = worker.outbox();
    if !std::mem::take(&mut outbox.answered) {
        outbox.bytes.tail().push(own);
    }
}

fn run_command(worker: &Worker, protocol: Protocol, own: u8) {
    worker.begin_step();
    worker.begin(Runnable::Fallback, protocol, 1);
    worker.end();
    answer_own(worker, own);
}

fn answer_in_place(worker: &Worker, step: StepId, other: u8) -> bool {
    let Some(mut outbox) = worker.outbox_during(step) else { return false };
    outbox.bytes.tail().push(other);
    outbox.answered = true;
    true
}

#[test]
fn each_command_has_exactly_one_answer() {
    model(|| {
        let worker = Arc::new(Worker::new());
        worker.begin_turn();
        let other = {
            let worker = Arc::clone(&worker);
            thread::spawn(move || {
                let step = worker.step();
                worker.running().is_some_and(|_| answer_in_place(&worker, step, b'o'))
            })
        };
        run_command(&worker, Protocol::Resp2, b'1');
        run_command(&worker, Protocol::Resp2, b'2');
        let answered = other.join().expect("no panic");
        let sent = worker.outbox().bytes.to_vec();
        let expected: &[&[u8]] = if answered { &[b"o2", b"1o"] } else { &[b"12"] };
        assert!(expected.contains(&&*sent), "{}", sent.escape_ascii());
    });
}

#[test]
fn nothing_is_answered_behind_the_last_answer() {
    model(|| {
        let worker = Arc::new(Worker::new());
        worker.begin_turn();
        let other = {
            let worker = Arc::clone(&worker);
            thread::spawn(move || {
                let step = worker.step();
                worker.running().is_some_and(|_| answer_in_place(&worker, step, b'o'))
            })
        };
        worker.begin(Runnable::Fallback, Protocol::Resp2, 1);
        worker.end();
        // The last answer of a turn is sent before the lock is given back.
        let sent = {
            let mut outbox = worker.outbox();
            if !std::mem::take(&mut outbox.answered) {
                outbox.bytes.tail().push(b'1');
            }
            let sent = outbox.bytes.to_vec();
            outbox.bytes.clear();
            sent
        };
        let answered = other.join().expect("no panic");
        assert_eq!(sent, if answered { b"o" } else { b"1" });
        assert!(worker.outbox().bytes.is_empty());
    });
}

#[test]
fn running_command_shows_its_protocol() {
    model(|| {
        let worker = Arc::new(Worker::new());
        let other = {
            let worker = Arc::clone(&worker);
            thread::spawn(move || worker.running().map(|_| worker.protocol()))
        };
        worker.begin_turn();
        worker.begin(Runnable::Fallback, Protocol::Resp3, 1);
        let seen = other.join().expect("no panic");
        assert!(matches!(seen, None | Some(Protocol::Resp3)), "{seen:?}");
    });
}

#[test]
fn thread_that_lost_the_lead_is_not_seen_in_a_later_command() {
    model(|| {
        let worker = Arc::new(Worker::new());
        worker.set_leads(true);
        worker.begin_turn();
        let step = worker.step();
        worker.begin(Runnable::Fallback, Protocol::Resp2, 1);
        let watcher = {
            let worker = Arc::clone(&worker);
            thread::spawn(move || {
                worker.set_leads(false);
                // The step of the stalled command: no later one may get its answer.
                answer_in_place(&worker, step, b'o')
            })
        };
        worker.end();
        answer_own(&worker, b'1');
        run_command(&worker, Protocol::Resp2, b'2');
        let answered = watcher.join().expect("no panic");
        let sent = worker.outbox().bytes.to_vec();
        let expected: &[u8] = if answered { b"o2" } else { b"12" };
        assert_eq!(sent.escape_ascii().to_string(), expected.escape_ascii().to_string());
        assert!(!worker.leads());
    });
}

mod sharing;
