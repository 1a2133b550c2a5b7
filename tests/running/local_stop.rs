//! A stop of the server, and commands that run on the author's own loop.

use std::io::Write;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use dockipc::{Local, Server, Stopped, command};
use tests::process::until;
use tests::{Daemon, PATIENCE, resp, rest};

use super::local::{Desk, Ui, with_loop};

/// Drop the server that the loop has, and answer.
#[command]
fn drop_server(mut ui: Local<'_, Ui>) -> &'static str {
    drop(ui.server.take());
    "dropped"
}

const NOT_TAKEN: &[u8] = b"-SHUTDOWN the daemon's loop did not take the command; it was not run\n";
const NOT_RUN: &[u8] = b"-SHUTDOWN the daemon is stopping; the command was not run\n";

/// A server that waits for its commands when it stops: a test would hang.
fn patient() -> Server {
    Server::new().shutdown_timeout(PATIENCE * 10)
}

/// Runs one job, so that the loop's thread is known.
fn begin(desk: &mut Desk) {
    let stream = desk.send("clear-layers\n");
    desk.run_next();
    assert_eq!(rest(stream), b"");
}

#[test]
fn stop_by_the_loop_does_not_wait_for_its_jobs() {
    for has_run in [true, false] {
        let mut desk = Desk::start(patient());
        if has_run {
            begin(&mut desk);
        }
        let streams: Vec<_> = (0..3).map(|_| desk.send("add-layer a\n")).collect();
        let queued: Vec<_> = (0..3).map(|_| desk.next()).collect();
        let Desk { daemon, jobs, mut ui } = desk;
        // Without the job of the first, which the channel still has.
        drop(daemon);
        for stream in streams {
            assert_eq!(rest(stream), NOT_TAKEN);
        }
        for job in queued {
            job.run(&mut ui);
        }
        assert!(jobs.try_recv().is_err());
    }
}

#[test]
fn job_that_comes_while_the_loop_stops_is_refused() {
    let mut desk = Desk::start(patient());
    begin(&mut desk);
    let held = desk.send([resp(&["hold"]), resp(&["add-layer", "a"])].concat());
    until("a command that runs", || HELD.lock().unwrap().0);
    let waiting = desk.send("add-layer b\n");
    let _queued = desk.next();
    let Desk { daemon, jobs, .. } = desk;
    let clients = thread::spawn(move || {
        assert_eq!(rest(waiting), NOT_TAKEN);
        // The loop has stopped. The next command of this client is a job.
        HELD.lock().unwrap().1 = true;
        let answer = String::from_utf8(rest(held)).unwrap();
        assert!(answer.starts_with("+OK\r\n-SHUTDOWN the daemon's loop did not take"), "{answer}");
    });
    drop(daemon);
    clients.join().unwrap();
    assert!(jobs.try_recv().is_err());
}

/// Whether `hold` runs, and whether it may end.
static HELD: Mutex<(bool, bool)> = Mutex::new((false, false));

/// Wait for the test.
#[command]
fn hold() {
    HELD.lock().unwrap().0 = true;
    until("the test", || HELD.lock().unwrap().1);
}

#[test]
fn stop_by_the_loop_ends_its_deferred_answers() {
    let mut desk = Desk::start(patient());
    let stream = desk.send("pick-here\n");
    desk.run_next();
    let Desk { daemon, ui, .. } = desk;
    drop(daemon);
    assert_eq!(rest(stream), b"-SHUTDOWN the daemon stops; the command was ended\n");
    assert_eq!(*ui.ended.lock().unwrap(), [Stopped::ShuttingDown]);
}

#[test]
fn stop_inside_a_job_does_not_wait_for_it() {
    let (server, jobs) = with_loop(patient());
    let daemon = Daemon::start(server);
    let [mut first, mut second] = [daemon.connect(), daemon.connect()];
    first.write_all(b"drop-server\n").unwrap();
    let job = jobs.recv_timeout(PATIENCE).unwrap();
    second.write_all(b"add-layer a\n").unwrap();
    let queued = jobs.recv_timeout(PATIENCE).unwrap();
    let mut ui = Ui { server: Some(daemon), ..Ui::default() };
    job.run(&mut ui);
    assert_eq!(rest(first), b"dropped");
    assert_eq!(rest(second), NOT_TAKEN);
    queued.run(&mut ui);
}

#[test]
fn stop_by_another_thread_lets_the_loop_answer() {
    for has_run in [true, false] {
        let mut desk = Desk::start(patient());
        if has_run {
            begin(&mut desk);
        }
        let streams: Vec<_> = (0..3).map(|_| desk.send("add-layer a\n")).collect();
        let first = desk.next();
        let Desk { daemon, jobs, mut ui } = desk;
        daemon.handle().shutdown();
        let joining = thread::spawn(move || daemon.handle().join());
        first.run(&mut ui);
        (0..2).for_each(|_| jobs.recv_timeout(PATIENCE).unwrap().run(&mut ui));
        assert!(joining.join().unwrap().is_empty());
        for stream in streams {
            let answer = rest(stream);
            assert!(answer.ends_with(b"a\n"), "{}", answer.escape_ascii());
        }
    }
}

#[test]
fn passed_shutdown_timeout_answers_jobs() {
    let desk = Desk::start(Server::new().shutdown_timeout(Duration::from_millis(50)));
    let stream = desk.send("add-layer a\n");
    let job = desk.next();
    desk.daemon.handle().shutdown();
    assert_eq!(rest(stream), NOT_RUN);
    // It had not begun.
    let joining = thread::spawn(move || desk.daemon.handle().join());
    assert!(joining.join().unwrap().is_empty());
    job.run(&mut Ui::default());
}

#[test]
fn job_that_outlives_the_stop_is_named() {
    let desk = Desk::start(Server::new().shutdown_timeout(Duration::from_millis(50)));
    let stream = desk.send("pick-here\n");
    let mut ui = Ui::default();
    desk.next().run(&mut ui);
    desk.daemon.handle().shutdown();
    let joining = thread::spawn(move || desk.daemon.handle().join());
    assert_eq!(joining.join().unwrap()[0].name(), "pick-here");
    assert_eq!(rest(stream), b"-SHUTDOWN the daemon stops; the command was ended\n");
}

#[test]
fn command_of_the_loop_stops_the_server() {
    let (server, jobs) = with_loop(patient());
    let daemon = Daemon::start(server);
    let (ended, end) = channel();
    let asking = daemon.connect();
    let running = thread::spawn(move || {
        let mut ui = Ui::default();
        for job in jobs {
            job.run(&mut ui);
        }
        ended.send(()).unwrap();
    });
    (&asking).write_all(b"quit-here\n").unwrap();
    assert_eq!(rest(asking), b"");
    assert!(daemon.handle().join().is_empty());
    drop(daemon);
    // The server has dropped its sender.
    end.recv_timeout(PATIENCE).expect("the end of the loop");
    running.join().unwrap();
}
