//! System calls of a daemon fail: it does not start and says why, or it keeps running.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use dockipc::{Error, Failure};
use tests::neighbors::Neighbors;
use tests::process::until;
use tests::program::{self, Program};
use tests::strace::{self, Call, Strace};
use tests::{Place, figure, long};

/// The injected errors.
const REASONS: [&str; 5] = ["EIO", "ENOSPC", "EACCES", "ENOMEM", "EINTR"];

/// Calls that can't fail, or whose failure is one of memory or of a thread. Also `sendto`, which at the
/// start only determines a socket's type, but later reports a signal.
const NOT_THESE: [&str; 23] = [
    "brk",
    "clone",
    "clone3",
    "close",
    "exit",
    "exit_group",
    "futex",
    "geteuid",
    "getpid",
    "getrandom",
    "gettid",
    "madvise",
    "mmap",
    "mprotect",
    "munmap",
    "prctl",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "sched_getaffinity",
    "sendto",
    "set_robust_list",
    "sigaltstack",
];

/// Starts the daemon under strace.
fn begin(socket: &Path, trace: &Path, faults: &[String]) -> Program {
    let mut command = strace::strace(trace, faults);
    Program::begin(command.arg(program::path()).arg(socket), socket)
}

/// Returns the system calls of a start.
fn calls_of_a_start() -> Vec<Call> {
    let place = Place::new();
    let trace = place.directory().join("trace");
    let mut daemon = begin(&place.socket(), &trace, &[]);
    assert!(daemon.answers() && daemon.stop().success());
    let calls = strace::calls(&trace, Some("getppid"));
    let mut calls: Vec<_> = calls.into_iter().take_while(|call| call.name != "accept4").collect();
    calls.retain(|call| !NOT_THESE.contains(&call.name.as_str()));
    calls
}

#[test]
fn failed_call_during_start_is_survived_or_reported() {
    if !strace::is_here() {
        return;
    }
    let calls = calls_of_a_start();
    let each = calls.iter().enumerate().flat_map(|(i, call)| {
        let reasons = REASONS.iter().cycle().skip(i).take(long(1, REASONS.len()));
        reasons.map(move |reason| (call, *reason))
    });
    // A nonblocking send is never interrupted, and the signal handler sends only once.
    let each = each.filter(|(call, reason)| (call.name.as_str(), *reason) != ("sendto", "EINTR"));
    let (each, runs) = (Mutex::new(each), AtomicUsize::new(0));
    let started = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let scratch = Place::new();
                let trace = scratch.directory().join("trace");
                loop {
                    let next = each.lock().unwrap().next();
                    let Some((call, reason)) = next else { break };
                    runs.fetch_add(1, Relaxed);
                    let when = format!("{} {} fails with {reason}", call.name, call.number);
                    let neighbors = Neighbors::new();
                    let socket = neighbors.socket();
                    let fault = format!("{}:error={reason}:when={}", call.name, call.number);
                    let mut daemon = begin(&socket, &trace, &[fault]);
                    if daemon.answers() {
                        started.fetch_add(1, Relaxed);
                        let status = daemon.stop();
                        assert!(status.success(), "{when}: {status}, {}", daemon.complaint());
                    } else {
                        let why = daemon.complaint();
                        if !why.contains(socket.to_str().unwrap()) {
                            wrong.lock().unwrap().push(format!("{when}: {why}"));
                        }
                    }
                    neighbors.check(&when);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "errors that do not name the path: {wrong:#?}");
    figure(
        "a system call of the start fails",
        format!(
            "{} calls, {} runs, {} started, the others said why; nothing else touched",
            calls.len(),
            runs.into_inner(),
            started.into_inner()
        ),
    );
}

#[test]
fn start_without_a_thread_is_refused() {
    if !strace::is_here() {
        return;
    }
    // Each of the two that a server begins with.
    for number in 1..=2 {
        let place = Place::new();
        let trace = place.directory().join("trace");
        let fault = format!("?clone,clone3:error=EAGAIN:when={number}");
        let mut daemon = begin(&place.socket(), &trace, &[fault]);
        assert!(!daemon.wait().success());
        let complaint = daemon.complaint();
        assert!(complaint.contains("starting a thread"), "{complaint}");
        assert!(!place.socket().exists());
    }
}

/// Makes a daemon lose and recreate its path under strace, with faults.
fn recover(daemon: &mut Program, socket: &Path, trace: &Path, faults: &[String]) -> bool {
    daemon.rest();
    let _strace = Strace::attach(daemon.id(), trace, faults);
    fs::remove_file(socket).unwrap();
    daemon.answers()
}

#[test]
fn failed_call_during_recovery_is_survived() {
    if !strace::is_here() {
        return;
    }
    let place = Place::new();
    let trace = place.directory().join("trace");
    let mut daemon = Program::start(&place.socket());
    assert!(recover(&mut daemon, &place.socket(), &trace, &[]));
    let calls = strace::calls(&trace, None);
    let mut calls: Vec<_> = calls.into_iter().take_while(|call| call.name != "accept4").collect();
    calls.retain(|call| !NOT_THESE.contains(&call.name.as_str()));
    assert!(!calls.is_empty());
    let each = calls.iter().enumerate().flat_map(|(i, call)| {
        let reasons = REASONS.iter().cycle().skip(i).take(long(1, REASONS.len()));
        reasons.map(move |reason| (call, *reason))
    });
    let (each, runs) = (Mutex::new(each), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let scratch = Place::new();
                let trace = scratch.directory().join("trace");
                loop {
                    let next = each.lock().unwrap().next();
                    let Some((call, reason)) = next else { break };
                    runs.fetch_add(1, Relaxed);
                    let when = format!("{} {} fails with {reason}", call.name, call.number);
                    let neighbors = Neighbors::new();
                    let socket = neighbors.socket();
                    let mut daemon = Program::start(&socket);
                    let fault = format!("{}:error={reason}:when={}", call.name, call.number);
                    assert!(recover(&mut daemon, &socket, &trace, &[fault]), "{when}");
                    assert!(daemon.stop().success(), "{when}");
                    neighbors.check(&when);
                }
            });
        }
    });
    figure(
        "a system call of a recovery fails",
        format!("{} calls, {} runs, each recovered", calls.len(), runs.into_inner()),
    );
}

/// The outcomes of calls.
#[derive(Debug, Default)]
struct Tally {
    answered: AtomicUsize,
    /// Error answers.
    refused: AtomicUsize,
    failed: AtomicUsize,
    /// The first failure.
    why: Mutex<Option<String>>,
}

impl Tally {
    fn count<T>(&self, answer: &Result<T, Error>) {
        let counter = match answer {
            Ok(_) => &self.answered,
            Err(Error::Refused(_)) => &self.refused,
            Err(error) => {
                self.why.lock().unwrap().get_or_insert_with(|| error.to_string());
                &self.failed
            }
        };
        counter.fetch_add(1, Relaxed);
    }

    fn all(&self) -> [usize; 3] {
        [&self.answered, &self.refused, &self.failed].map(|counter| counter.load(Relaxed))
    }
}

/// Makes a call in line mode, and reads to the end of the connection.
fn line(daemon: &Program) -> Result<(), Error> {
    let (mut stream, mut answer) = (daemon.connect(), Vec::new());
    let exchanged = stream.write_all(b"ping\n").and_then(|()| stream.read_to_end(&mut answer));
    match (exchanged, answer.as_slice()) {
        (Ok(_), b"PONG") => Ok(()),
        (Ok(_), [b'-', ..]) => Err(Error::Refused(Failure::new("ERR", "a line"))),
        other => Err(Error::Protocol(format!("{other:?}"))),
    }
}

/// Makes calls of several kinds, over reused and new connections, from several clients.
fn call(daemon: &Program, tally: &Tally) {
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let client = daemon.client().read_timeout(Duration::from_secs(15));
                for i in 0..long(4, 20) {
                    tally.count(&client.send("hit"));
                    tally.count(&daemon.client().send("ping"));
                    tally.count(&line(daemon));
                    if i % 3 == 0 {
                        tally.count(&client.command("nap").arg(5).call::<u64>());
                        tally.count(&client.command("blob").arg(300_000).call::<Vec<u8>>());
                    }
                }
            });
        }
    });
}

/// Injects faults into a running daemon while clients call it. It must survive, and afterwards be as
/// before. Returns the outcomes of the calls.
fn survive(faults: &[&str]) -> [usize; 3] {
    let place = Place::new();
    let mut daemon = Program::start(&place.socket());
    daemon.rest();
    let before = (daemon.threads(), daemon.descriptors());
    let trace = place.directory().join("trace");
    let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
    let tally = Tally::default();
    let strace = Strace::attach(daemon.id(), &trace, &faults);
    call(&daemon, &tally);
    assert!(daemon.ended().is_none(), "{faults:?}: the daemon has died: {}", daemon.complaint());
    drop(strace);
    let text = fs::read_to_string(&trace).unwrap();
    assert!(text.contains("(INJECTED)"), "{faults:?}: nothing has failed");
    let afterwards = Tally::default();
    call(&daemon, &afterwards);
    let [_, refused, failed] = afterwards.all();
    assert_eq!((refused, failed), (0, 0), "{faults:?}: afterwards");
    let after = || (daemon.threads(), daemon.descriptors());
    until("the daemon as it was", || after() == before);
    assert!(daemon.stop().success(), "{faults:?}: {}", daemon.complaint());
    if let Some(why) = tally.why.lock().unwrap().take() {
        println!("{faults:?}: {why}");
    }
    tally.all()
}

/// Runs several cases at the same time.
fn survive_each(what: &str, cases: Vec<Vec<String>>, check: impl Fn(&str, [usize; 3]) + Sync) {
    if !strace::is_here() {
        return;
    }
    let (next, sum) = (AtomicUsize::new(0), Mutex::new([0; 3]));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(faults) = cases.get(next.fetch_add(1, Relaxed)) {
                    let faults: Vec<_> = faults.iter().map(String::as_str).collect();
                    let tally = survive(&faults);
                    check(&format!("{faults:?}"), tally);
                    for (sum, more) in sum.lock().unwrap().iter_mut().zip(tally) {
                        *sum += more;
                    }
                }
            });
        }
    });
    let [answered, refused, failed] = sum.into_inner().unwrap();
    figure(
        what,
        format!(
            "{} daemons, 0 deaths; calls meanwhile: {answered} answered, {refused} refused, \
             {failed} failed; 0 failed afterwards",
            cases.len()
        ),
    );
}

#[test]
fn calls_are_answered_without_new_threads() {
    let case = |fault: &str| vec![format!("clone,clone3:error={fault}")];
    let cases = vec![case("EAGAIN"), case("ENOMEM"), case("EAGAIN:when=1+2")];
    survive_each("thread creation fails", cases, |case, [_, refused, failed]| {
        assert_eq!((refused, failed), (0, 0), "{case}");
    });
}

#[test]
fn clients_without_credentials_are_refused() {
    let case = |fault: &str| vec![format!("getsockopt:error={fault}")];
    let cases = ["ENOMEM", "ENOTCONN", "ENOPROTOOPT:when=1+2", "EINVAL:when=2+2", "EIO:when=1+3"];
    let cases = cases.into_iter().map(case).collect();
    survive_each("getsockopt fails", cases, |case, [_, _, failed]| {
        assert_eq!(failed, 0, "{case}");
    });
}

#[test]
fn failing_accept_loses_no_client() {
    let reasons = [
        "EMFILE",
        "ENFILE",
        "ENOMEM",
        "ENOBUFS",
        "ECONNABORTED",
        "EPROTO",
        "EINTR",
        "EPERM",
        "EIO",
    ];
    let case = |reason: &&str| {
        ["when=1", "when=1..5", "when=1+2"]
            .map(|when| vec![format!("accept4:error={reason}:{when}")])
    };
    let cases = reasons.iter().flat_map(case).collect();
    survive_each("accept fails", cases, |case, [_, refused, failed]| {
        assert_eq!((refused, failed), (0, 0), "{case}");
    });
}

#[test]
fn failing_calls_do_not_stop_a_serving_daemon() {
    let each = [
        ("epoll_wait,epoll_pwait", vec!["EINTR", "ENOMEM", "EIO"]),
        ("epoll_ctl", vec!["ENOMEM", "ENOSPC"]),
        ("recvfrom", vec!["ECONNRESET", "ENOMEM", "EIO", "EINTR"]),
        ("sendto", vec!["EPIPE", "ECONNRESET", "ENOBUFS", "ENOMEM", "EIO", "EINTR"]),
        ("shutdown", vec!["ENOTCONN", "EIO"]),
    ];
    let mut cases = Vec::new();
    for (call, reasons) in each {
        for reason in reasons {
            // Once, and repeatedly.
            cases.push(vec![format!("{call}:error={reason}:when=1")]);
            cases.push(vec![format!("{call}:error={reason}:when=2+3")]);
        }
    }
    cases.push(vec!["accept4,recvfrom,sendto:error=EINTR:when=1+2".into()]);
    survive_each("a system call fails while serving", cases, |case, [_, refused, failed]| {
        if case.contains("EINTR") {
            assert_eq!((refused, failed), (0, 0), "{case}");
        }
    });
}
