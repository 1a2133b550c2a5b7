//! A daemon serves whatever it inherits from its parent, and with a kernel that lacks something.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::{fs, io, thread};

use rustix::process::Signal;
use rustix::thread::Gid;
use rustix::thread::{set_thread_gid, set_thread_groups};
use tests::Place;
use tests::program::{self, Program};

#[expect(unsafe_code, reason = "a signal mask that a child inherits")]
fn blocking_signals(command: &mut Command) {
    // SAFETY: only async-signal-safe functions run between fork and exec.
    unsafe {
        command.pre_exec(|| {
            let mut all = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            match libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut()) {
                0 => Ok(()),
                error => Err(io::Error::from_raw_os_error(error)),
            }
        });
    }
}

#[test]
fn blocked_signals_stop_the_daemon_in_order() {
    for signal in [Signal::TERM, Signal::INT] {
        let place = Place::new();
        let mut command = Command::new(program::path());
        command.arg(place.socket());
        blocking_signals(&mut command);
        let mut daemon = Program::start_by(&mut command, &place.socket());
        daemon.signal(signal);
        assert!(daemon.wait().success(), "{signal:?}");
        assert!(!place.socket().exists(), "{signal:?}");
    }
}

/// Returns whether a process ignores a signal, and whether it has a handler for it.
fn disposition(daemon: &Program, signal: Signal) -> (bool, bool) {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.id())).unwrap();
    let has = |set: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix(set)).unwrap().trim();
        u64::from_str_radix(mask, 16).unwrap() >> (signal.as_raw() - 1) & 1 == 1
    };
    (has("SigIgn:"), has("SigCgt:"))
}

#[test]
fn ignored_sigint_stays_ignored_and_sigterm_stops() {
    let place = Place::new();
    let mut command = Command::new("sh");
    // As a script's `daemon &`, which has only SIGINT ignored.
    command.args(["-c", "trap '' INT TERM; exec \"$0\" \"$1\""]).arg(program::path());
    let mut daemon = Program::start_by(command.arg(place.socket()), &place.socket());
    assert_eq!(disposition(&daemon, Signal::INT), (true, false));
    assert_eq!(disposition(&daemon, Signal::TERM), (false, true));
    for other in [Signal::HUP, Signal::QUIT, Signal::USR1, Signal::TSTP, Signal::CHILD] {
        assert_eq!(disposition(&daemon, other), (false, false), "{other:?}");
    }
    daemon.signal(Signal::TERM);
    assert!(daemon.wait().success());
    assert!(!place.socket().exists());
}

const GROUP: u32 = 51_100;

/// Makes `getsockopt(SO_PEERGROUPS)` fail in a child, as on a kernel without it.
#[expect(unsafe_code, reason = "seccomp(2)")]
fn without_peer_groups(command: &mut Command, errno: i32) {
    let load = |offset| libc::sock_filter { code: 0x20, jt: 0, jf: 0, k: offset };
    // Skips instructions unless the loaded word is this one.
    let unless = |word, skipped| libc::sock_filter { code: 0x15, jt: 0, jf: skipped, k: word };
    let end = |action| libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: action };
    // The low half of the third argument in seccomp_data.
    let name = 32 + if cfg!(target_endian = "big") { 4 } else { 0 };
    let call = u32::try_from(libc::SYS_getsockopt).unwrap();
    let mut filter = [
        load(0),
        unless(call, 3),
        load(name),
        unless(u32::try_from(libc::SO_PEERGROUPS).unwrap(), 1),
        end(libc::SECCOMP_RET_ERRNO | u32::try_from(errno).unwrap()),
        end(libc::SECCOMP_RET_ALLOW),
    ];
    // SAFETY: only system calls run between fork and exec; the filter outlives them.
    unsafe {
        command.pre_exec(move || {
            let program = libc::sock_fprog { len: 6, filter: filter.as_mut_ptr() };
            let done = libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
                    == 0;
            if done { Ok(()) } else { Err(io::Error::last_os_error()) }
        });
    }
}

/// Returns the answers to a process with the group as its effective one, and as a supplementary one.
fn answers(daemon: &Program) -> [String; 2] {
    let ask = |become_member: fn(Gid)| {
        thread::scope(|scope| {
            let answer = scope.spawn(|| {
                // Only this thread's.
                become_member(Gid::from_raw(GROUP));
                let answer = tests::exchange(daemon.connect(), b"nap 0\n");
                String::from_utf8(answer).unwrap()
            });
            answer.join().unwrap()
        })
    };
    [ask(|group| set_thread_gid(group).unwrap()), ask(|group| set_thread_groups(&[group]).unwrap())]
}

#[test]
fn clients_are_served_without_so_peergroups() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: this needs root");
        assert!(std::env::var_os("DOCKIPC_REQUIRE_PEERS").is_none(), "it is required");
        return;
    }
    for errno in [0, libc::ENOPROTOOPT, libc::EINVAL, libc::EOPNOTSUPP, libc::EPERM] {
        let place = Place::new();
        let mut command = Command::new(program::path());
        command.arg(place.socket()).env("TEST_RULE", format!("group:{GROUP}"));
        if errno != 0 {
            without_peer_groups(&mut command, errno);
        }
        let mut daemon = Program::start_by(&mut command, &place.socket());
        let [effective, supplementary] = answers(&daemon);
        assert_eq!(effective, "1", "{errno}");
        let complaint = daemon.complaint();
        if errno == 0 {
            assert_eq!((supplementary.as_str(), complaint.as_str()), ("2", ""));
        } else {
            assert!(supplementary.starts_with("-NOPERM "), "{errno}: {supplementary}");
            let told =
                "dockipc: the supplementary groups of clients are unavailable (SO_PEERGROUPS: ";
            assert!(complaint.starts_with(told), "{errno}: {complaint}");
            assert_eq!(complaint.lines().count(), 1, "{complaint}");
        }
        assert!(daemon.stop().success());
    }
}
