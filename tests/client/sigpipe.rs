//! A client never raises SIGPIPE, whose default action ends the process.
#![allow(unsafe_code, reason = "std ignores the signal, and only signal(2) can undo that")]

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use std::sync::mpsc;

use dockipc::{Client, Error};
use tests::scripted::{GREETING, greet, scripted};
use tests::{PATIENCE, Place, test_name};

const SIGPIPE: i32 = 13;

unsafe extern "C" {
    fn signal(number: i32, action: usize) -> usize;
}

/// Restores the default action, which a C program starts with.
fn no_longer_ignored() {
    // SAFETY: SIG_DFL, which is 0, is a valid action for every signal.
    unsafe { signal(SIGPIPE, 0) };
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
    assert_eq!(ignored & 1 << (SIGPIPE - 1), 0);
}

fn child(name: &str) -> Output {
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", &test_name(name), "--ignored", "--nocapture"]).output().unwrap()
}

#[test]
#[ignore = "the process that another test starts"]
fn child_process_with_broken_pipe() {
    no_longer_ignored();
    let (ours, theirs) = rustix::pipe::pipe().unwrap();
    drop(ours);
    let _ = rustix::io::write(theirs, b"x");
}

#[test]
#[ignore = "the process that another test starts"]
fn child_process_with_client() {
    no_longer_ignored();
    let place = Place::new();
    let (closed, is_closed) = mpsc::channel();
    let server = scripted(&place, move |accept| {
        // An idle connection that is closed between two calls.
        for _ in 0..3 {
            let mut stream = accept();
            greet(&mut stream, "get");
            stream.write_all(&[GREETING, b":1\r\n"].concat()).unwrap();
            drop(stream);
            closed.send(()).unwrap();
        }
        // Connections that are closed before and while a command is sent.
        for _ in 0..9 {
            let stream = accept();
            closed.send(()).unwrap();
            drop(stream);
        }
    });
    let client = Client::new(place.socket()).read_timeout(PATIENCE).write_timeout(PATIENCE);
    for _ in 0..3 {
        assert_eq!(client.command("get").call::<u8>().unwrap(), 1);
        is_closed.recv().unwrap();
    }
    for _ in 0..3 {
        let error = client.command("put").arg(vec![0; 8 << 20]).call::<()>().unwrap_err();
        assert!(matches!(error, Error::CutOff { .. }), "{error}");
    }
    server.join().unwrap();
    println!("\nalive");
}

#[test]
fn closed_connection_raises_no_sigpipe() {
    let dies = child("child_process_with_broken_pipe");
    assert_eq!(dies.status.signal(), Some(SIGPIPE), "{dies:?}");
    let lives = child("child_process_with_client");
    assert!(lives.status.success(), "{lives:?}");
    assert!(String::from_utf8_lossy(&lives.stdout).contains("\nalive"), "{lives:?}");
}
