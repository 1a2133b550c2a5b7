//! A daemon that is killed while it runs a command.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::exit;
use std::thread;
use std::time::Duration;

use dockipc::error::Ran;
use dockipc::{Client, Error, Request, Server};
use rustix::process::{Signal, getpid, kill_process};
use tests::apart::{self, Apart};
use tests::{PATIENCE, Place};

/// Not a test: the daemon of that below. `work` takes some microseconds. `work MICROS last` first records
/// that it runs, and then kills the daemon.
#[test]
fn daemon() {
    apart::serve(|path| {
        let runs = path.with_file_name("runs");
        let work = move |request: &Request<'_>| {
            let micros = request.parse(0).unwrap();
            thread::sleep(Duration::from_micros(micros));
            if request.word(1) == Some(b"last") {
                let mut runs = File::options().create(true).append(true).open(&runs).unwrap();
                runs.write_all(b"x").unwrap();
                kill_process(getpid(), Signal::KILL).unwrap();
            }
        };
        exit(i32::from(Server::new().max_cores(2).handle("work", work).run(path).is_err()));
    });
}

#[test]
fn command_of_a_killed_daemon_is_not_repeated() {
    // Quick, long, and slow: run by a leader, and by another thread.
    for micros in [0, 100, 5_000] {
        for (words, pipeline) in [(0, 1), (100_000, 1), (0, 2), (10_000, 30)] {
            let place = Place::new();
            let in_place = |name: &str| place.directory().join(name);
            let point_to = |name: &str| {
                symlink(in_place(name), in_place("link")).unwrap();
                fs::rename(in_place("link"), place.socket()).unwrap();
            };
            let _first = Apart::start("daemon", in_place("first"));
            point_to("first");
            let client = Client::new(place.socket()).read_timeout(PATIENCE);
            for _ in 0..20 {
                client.command("work").arg(micros).call::<()>().unwrap();
            }
            // A repeated command would meet a daemon that runs.
            let _next = Apart::start("daemon", in_place("next"));
            point_to("next");
            let long = "x".repeat(words);
            let mut calls = client.pipeline();
            for _ in 0..pipeline {
                calls.command("work", [&*micros.to_string(), "last", &*long]);
            }
            let case = format!("{micros} µs, {words} bytes, {pipeline} commands");
            let error = match pipeline {
                1 => {
                    let call = client.command("work").arg(micros).arg("last").arg(&long);
                    call.call::<()>().unwrap_err()
                }
                _ => calls.call().unwrap_err(),
            };
            let is_cut = matches!(error, Error::CutOff { ran: Ran::Maybe, .. });
            assert!(is_cut, "{case}: {error}");
            assert_eq!(fs::read(in_place("runs")).unwrap(), b"x", "{case}");
        }
    }
}
