//! Calls with a token of commands that run on the author's loop.

use std::net::Shutdown;

use dockipc::{Local, Server, command};
use tests::process::until;
use tests::{exchange, expect, resp};

use super::local::{Desk, Ui};

/// Add a layer and answer with their number.
#[command]
fn count_layer(ui: Local<'_, Ui>) -> usize {
    ui.layers.borrow_mut().push(String::new());
    ui.layers.borrow().len()
}

fn once(token: &str) -> Vec<u8> {
    resp(&["dockipc", "with", "once", token, "--", "count-layer"])
}

/// Waits until this number of calls run or wait for the loop.
#[track_caller]
fn until_calls(desk: &Desk, count: usize) {
    let running = || exchange(desk.daemon.connect(), b"dockipc running\n");
    until("the calls", || String::from_utf8(running()).unwrap().lines().count() == count);
}

#[test]
fn repeat_waits_for_the_loop_and_begins_nothing() {
    let mut desk = Desk::start(Server::new().once());
    // Also if the first client leaves. Had it left before the daemon saw the call, the call would not begin.
    let first = desk.send(once("a"));
    let job = desk.next();
    drop(first);
    let mut repeats: Vec<_> = (0..3).map(|_| desk.send(once("a"))).collect();
    until_calls(&desk, 4);
    job.run(&mut desk.ui);
    repeats.push(desk.send(once("a")));
    for stream in &mut repeats {
        expect(stream, b":1\r\n");
    }
    assert!(desk.jobs.try_recv().is_err());
}

#[test]
fn job_that_did_not_run_leaves_its_token_free() {
    let mut desk = Desk::start(Server::new().once());
    // The loop drops it.
    let first = desk.send(once("a"));
    let job = desk.next();
    let repeat = desk.send(once("a"));
    until_calls(&desk, 2);
    drop(job);
    for mut stream in [first, repeat] {
        expect(
            &mut stream,
            b"-SHUTDOWN the daemon's loop did not take the command; it was not run\r\n",
        );
    }
    // A caller cancels it.
    let first = desk.send(once("a"));
    let job = desk.next();
    let repeat = desk.send(once("a"));
    until_calls(&desk, 2);
    repeat.shutdown(Shutdown::Write).unwrap();
    for mut stream in [first, repeat] {
        expect(&mut stream, b"-CANCELLED ");
    }
    job.run(&mut desk.ui);
    assert_eq!(desk.ui.layers.borrow().len(), 0);
    let mut stream = desk.send(once("a"));
    desk.run_next();
    expect(&mut stream, b":1\r\n");
    expect(&mut desk.send(once("a")), b":1\r\n");
}
