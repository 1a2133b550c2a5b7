//! Constant signals: an interrupted system call is no failure, of the server or the client.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use dockipc::{Client, Error, Server, command};
use tests::process::{alone, descriptors, threads, until};
use tests::program::blob;
use tests::{Daemon, Place, figure, long};

#[command("pattern")]
fn make_blob(size: usize) -> Vec<u8> {
    blob(size)
}

#[command("size")]
fn size(bytes: Vec<u8>) -> usize {
    bytes.len()
}

#[command("doze")]
fn doze(milliseconds: u64) {
    thread::sleep(Duration::from_millis(milliseconds));
}

/// Number of signals received.
static ARRIVED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_: libc::c_int) {
    ARRIVED.fetch_add(1, Relaxed);
}

/// Installs a handler for SIGUSR1 without `SA_RESTART`, so that blocking calls return EINTR. The safe
/// crates always set `SA_RESTART`.
#[expect(unsafe_code, reason = "sigaction(2)")]
fn take_signals() {
    // SAFETY: zeros are a valid sigaction; the handler only increments an atomic number.
    let taken = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = count as *const () as usize;
        libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut())
    };
    assert_eq!(taken, 0);
}

/// Sends SIGUSR1 to a thread of this process, if it exists.
#[expect(unsafe_code, reason = "tgkill(2), which no safe crate has for threads of others")]
fn interrupt(thread: libc::pid_t) {
    // SAFETY: the call takes only numbers.
    unsafe {
        libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, libc::SIGUSR1);
    }
}

/// Interrupts every other thread a thousand times a second.
fn interrupt_all(over: &AtomicBool) {
    let me = rustix::thread::gettid().as_raw_nonzero().get();
    let mut next = Instant::now();
    while !over.load(Relaxed) {
        for task in fs::read_dir("/proc/self/task").unwrap() {
            let name = task.unwrap().file_name();
            let thread = name.to_string_lossy().parse().unwrap();
            if thread != me {
                interrupt(thread);
            }
        }
        next = (next + Duration::from_millis(1)).max(Instant::now());
        thread::sleep(next - Instant::now());
    }
}

/// Makes calls of several kinds over reused and new connections.
fn calls(daemon: &Daemon, count: usize) {
    let client = Client::new(daemon.path());
    let large = blob(400_000);
    for i in 0..count {
        match i % 100 {
            0 => {
                let got: Vec<u8> = client.command("pattern").arg(400_000).call().unwrap();
                assert!(got == large);
            }
            1 => {
                let got: usize = client.command("size").arg(&large).call().unwrap();
                assert_eq!(got, large.len());
            }
            2 => client.command("doze").arg(3).call().unwrap(),
            n if n % 4 == 0 => assert_eq!(dockipc::send(daemon.path(), "ping").unwrap(), b"PONG"),
            n if n % 4 == 1 => assert_eq!(daemon.ask("echo a\n"), "a"),
            _ => assert_eq!(client.send("echo b").unwrap(), b"b"),
        }
    }
}

/// Starts and stops servers, also at a path that is in use.
fn starts(daemon: &Daemon, over: &AtomicBool) -> usize {
    let place = Place::new();
    let mut count = 0;
    while !over.load(Relaxed) {
        let other = Server::new().spawn(place.socket()).unwrap();
        assert_eq!(dockipc::send(place.socket(), "ping").unwrap(), b"PONG");
        let refused = Server::new().spawn(daemon.path());
        assert!(matches!(refused, Err(Error::AlreadyRunning { .. })), "{refused:?}");
        drop(other);
        count += 1;
    }
    count
}

#[test]
fn signals_interrupt_no_call() {
    let _alone = alone();
    take_signals();
    let count = long(8000, 100_000);
    let before = descriptors();
    let daemon = Daemon::start(Server::new());
    let (calls_over, over) = (AtomicBool::new(false), AtomicBool::new(false));
    let begun = Instant::now();
    let started = thread::scope(|scope| {
        scope.spawn(|| interrupt_all(&over));
        let starter = scope.spawn(|| starts(&daemon, &calls_over));
        let callers: Vec<_> = (0..4).map(|_| scope.spawn(|| calls(&daemon, count / 4))).collect();
        let failed = callers.into_iter().filter_map(|caller| caller.join().err()).count();
        calls_over.store(true, Relaxed);
        let started = starter.join();
        over.store(true, Relaxed);
        assert_eq!(failed, 0, "callers that failed");
        started.unwrap()
    });
    let (seconds, signals) = (begun.elapsed().as_secs_f64(), ARRIVED.load(Relaxed));
    drop(daemon);
    until("no threads", || threads() == 0);
    until("no descriptors", || descriptors() <= before);
    figure(
        "EINTR",
        format!(
            "{count} calls and {started} starts in {seconds:.1} s, {signals} signals, 0 errors"
        ),
    );
    assert!(signals > 0);
}
