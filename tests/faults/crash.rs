//! A daemon is killed: no client takes a truncated answer for a whole one, and nothing blocks the
//! next start.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use dockipc::{Client, Error, FromReply, Result, client};
use rustix::process::Signal;
use tests::dice::Dice;
use tests::neighbors::Neighbors;
use tests::program::{self, Program, blob, entries, items};
use tests::strace::{self, Call, Strace};
use tests::{Place, figure, leave_socket, long};

/// The outcomes of calls.
#[derive(Default)]
struct Tally {
    whole: AtomicUsize,
    cut: AtomicUsize,
    other: AtomicUsize,
    /// Whole answers with wrong content.
    wrong: AtomicUsize,
}

impl Tally {
    /// Makes a call and checks its answer.
    fn call(&self, client: &Client, dice: &mut Dice) {
        let size = dice.below(1 << 20);
        let count = 1 + dice.below(2000);
        let right: Result<bool> = match dice.below(8) {
            0 | 1 => client.command("blob").arg(size).call().map(|got: Vec<u8>| got == blob(size)),
            2 => client.send(&format!("blob {size}")).map(|got| got == blob(size)),
            3 => {
                let call = client.command("items").arg(count);
                call.call().map(|got: Vec<String>| got == items(count))
            }
            4 => {
                let call = client.command("entries").arg(count);
                call.call().map(|got: BTreeMap<String, u64>| got == entries(count))
            }
            5 => {
                let call = client.command("echo").arg("some words\n");
                call.call().map(|got: String| got == "some words\n")
            }
            6 => client.command("hits").call().map(|got: u64| got == 0),
            _ => {
                let mut pipeline = client.pipeline();
                for i in 0..50 {
                    pipeline.command("blob", [i * 100]);
                }
                pipeline.call().map(|answers| {
                    let right = |(i, answer): (usize, dockipc::Reply)| {
                        answer.parse::<Vec<u8>>().is_ok_and(|got| got == blob(i * 100))
                    };
                    answers.len() == 50 && answers.into_iter().enumerate().all(right)
                })
            }
        };
        let counter = match right {
            Ok(true) => &self.whole,
            Err(Error::CutOff { .. }) => &self.cut,
            // The daemon never answers with this, so it comes from a truncated answer.
            Ok(false) | Err(Error::Refused(_) | Error::Protocol(_) | Error::Mismatch { .. }) => {
                &self.wrong
            }
            Err(_) => &self.other,
        };
        counter.fetch_add(1, Relaxed);
    }
}

#[test]
fn truncated_answer_is_never_taken_for_a_whole_one() {
    let kills = long(30, 1000);
    let place = Place::new();
    let mut dice = Dice::thrown();
    let (tally, over) = (Tally::default(), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..3 {
            let seed = dice.roll();
            let (tally, over, path) = (&tally, &over, place.socket());
            scope.spawn(move || {
                let mut dice = Dice::new(seed);
                let client = Client::new(path);
                while !over.load(Relaxed) {
                    tally.call(&client, &mut dice);
                }
            });
        }
        for _ in 0..kills {
            let daemon = Program::start(&place.socket());
            thread::sleep(dice.moment(Duration::from_millis(20)));
            drop(daemon);
        }
        over.store(true, Relaxed);
    });
    let [whole, cut, other, wrong] =
        [tally.whole, tally.cut, tally.other, tally.wrong].map(AtomicUsize::into_inner);
    assert!(whole > 0 && cut > 0, "{whole} whole, {cut} cut off");
    figure(
        "killed while answering",
        format!(
            "{kills} kills, {whole} whole answers, {cut} calls cut off, {other} other errors, \
             {wrong} cut answers taken for whole ones"
        ),
    );
    assert_eq!(wrong, 0);
}

#[test]
fn cut_stream_is_never_taken_for_a_whole_one() {
    let kills = long(50, 1000);
    let place = Place::new();
    let mut dice = Dice::thrown();
    let [mut whole, mut cut, mut before] = [0; 3];
    for _ in 0..kills {
        let daemon = Program::start(&place.socket());
        let client = daemon.client();
        thread::scope(|scope| {
            let moment = dice.moment(Duration::from_millis(10));
            let (in_chunks, size) = (dice.below(2) == 0, 1 + dice.below(100_000));
            let count = 1 + dice.below(if in_chunks { 200 } else { 50_000 });
            scope.spawn(move || {
                thread::sleep(moment);
                drop(daemon);
            });
            let (got, end) = if in_chunks {
                let call = client.command("chunk-stream").arg(count).arg(size);
                read(call.stream::<Vec<u8>>(), (0..count).map(|_| blob(size)))
            } else {
                let call = client.command("item-stream").arg(count);
                read(call.stream::<String>(), items(count).into_iter())
            };
            match end {
                Ok(()) => {
                    assert_eq!(got, count, "a cut stream was taken for a whole one");
                    whole += 1;
                }
                Err(Error::CutOff { .. }) if got > 0 => cut += 1,
                Err(Error::Refused(_) | Error::Protocol(_) | Error::Mismatch { .. }) => {
                    panic!("a part of a stream was taken for something else: {end:?}");
                }
                Err(_) => before += 1,
            }
        });
    }
    figure(
        "killed while streaming",
        format!(
            "{kills} kills, {whole} whole streams, {cut} cut streams, {before} calls cut before, \
             0 cut streams taken for whole ones"
        ),
    );
    assert!(cut > 0, "{whole} whole, {before} cut before");
}

/// Reads a stream to its end. Returns the number of its items, each of which is right.
fn read<T: FromReply + PartialEq>(
    stream: Result<client::Items<T>>,
    mut right: impl Iterator<Item = T>,
) -> (usize, Result<()>) {
    let mut count = 0;
    let stream = match stream {
        Ok(stream) => stream,
        Err(error) => return (0, Err(error)),
    };
    for item in stream {
        match item {
            Ok(item) => assert!(right.next() == Some(item), "item {count} is another one"),
            Err(error) => return (count, Err(error)),
        }
        count += 1;
    }
    (count, Ok(()))
}

/// When a daemon is killed.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// From start to end.
    Life,
    /// From start to end, after another daemon was killed.
    Again,
    /// While it recreates its path.
    Recovery,
    /// While it stops.
    Shutdown,
}

impl Phase {
    /// Runs a daemon through the phase under strace, with faults. Returns whether it succeeded.
    fn pass(self, socket: &Path, trace: &Path, faults: &[String]) -> bool {
        match self {
            Self::Again => {
                drop(Program::start(socket));
                // The leftover of a daemon killed before its socket had its name.
                let temporary = socket.with_file_name(".s.sock.new");
                leave_socket(temporary);
                Self::Life.pass(socket, trace, faults)
            }
            Self::Life => {
                let mut command = strace::strace(trace, faults);
                let mut daemon = Program::begin(command.arg(program::path()).arg(socket), socket);
                daemon.answers() && daemon.stop().success()
            }
            Self::Recovery => {
                let mut daemon = Program::start(socket);
                daemon.rest();
                let strace = Strace::attach(daemon.id(), trace, faults);
                fs::remove_file(socket).unwrap();
                let got_through = daemon.answers();
                drop(strace);
                got_through && daemon.stop().success()
            }
            Self::Shutdown => {
                let mut daemon = Program::start(socket);
                daemon.rest();
                let _strace = Strace::attach(daemon.id(), trace, faults);
                daemon.signal(Signal::TERM);
                daemon.wait().success()
            }
        }
    }

    /// Returns the system calls in the phase.
    fn calls(self, place: &Place) -> Vec<Call> {
        let trace = place.directory().join("trace");
        assert!(self.pass(&place.socket(), &trace, &[]), "{self:?} without faults");
        let marker = matches!(self, Self::Life | Self::Again).then_some("getppid");
        strace::calls(&trace, marker)
    }
}

/// Kills a daemon at each system call of a phase, beside foreign files.
fn kill_at_each(phase: Phase) {
    if !strace::is_here() {
        return;
    }
    let calls = phase.calls(&Place::new());
    let (next, killed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let scratch = Place::new();
                let trace = scratch.directory().join("trace");
                while let Some(call) = calls.get(next.fetch_add(1, Relaxed)) {
                    let neighbors = Neighbors::new();
                    let socket = neighbors.socket();
                    let fault = format!("{}:signal=KILL:when={}", call.name, call.number);
                    let when = format!("killed at {} {} of {phase:?}", call.name, call.number);
                    if !phase.pass(&socket, &trace, &[fault]) {
                        killed.fetch_add(1, Relaxed);
                    }
                    neighbors.check_theirs(&when);
                    let mut next =
                        Program::begin(Command::new(program::path()).arg(&socket), &socket);
                    assert!(next.answers(), "{when}, the next start: {}", next.complaint());
                    assert!(next.stop().success(), "{when}");
                    neighbors.check(&when);
                }
            });
        }
    });
    let (killed, calls) = (killed.into_inner(), calls.len());
    figure(
        &format!("killed at every system call, {phase:?}"),
        format!("{calls} calls, {killed} kills, each next start clean, nothing else touched"),
    );
    // The number of a call in its thread varies for some calls.
    assert!(killed * 2 > calls, "{killed} kills of {calls}");
}

#[test]
fn kill_at_any_call_never_blocks_the_next_start() {
    kill_at_each(Phase::Life);
}

#[test]
fn second_kill_never_blocks_the_next_start() {
    kill_at_each(Phase::Again);
}

#[test]
fn kill_during_recovery_never_blocks_the_next_start() {
    kill_at_each(Phase::Recovery);
}

#[test]
fn kill_during_shutdown_never_blocks_the_next_start() {
    kill_at_each(Phase::Shutdown);
}
