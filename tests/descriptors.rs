//! A server that has run out of descriptors serves who is there, waits for the others, and rests.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};

use dockipc::Server;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use tests::{Daemon, PATIENCE, expect};

/// Set in the process that runs out of descriptors.
const INSIDE: &str = "DOCKIPC_TEST_DESCRIPTORS";

#[test]
fn without_descriptors_a_server_serves_who_is_connected_and_later_everybody() {
    if std::env::var_os(INSIDE).is_some() {
        return run_out();
    }
    let this = std::env::current_exe().unwrap();
    let name = "without_descriptors_a_server_serves_who_is_connected_and_later_everybody";
    let mut command = Command::new(this);
    let output = command.args([name, "--exact", "--nocapture"]).env(INSIDE, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

const PING: &[u8] = b"*1\r\n$4\r\nping\r\n";

fn ping(client: &mut UnixStream) {
    client.write_all(PING).unwrap();
    expect(client, b"+PONG\r\n");
}

/// The time that this process has used.
fn cpu() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}

fn run_out() {
    let daemon = Daemon::start(Server::new());
    let mut here: Vec<_> = (0..20).map(|_| daemon.connect()).collect();
    for client in &mut here {
        ping(client);
    }
    // Both sides are in this process: the clients' descriptors are opened first, then none is left.
    let socket = || rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    let queued: Vec<_> = (0..30).map(|_| socket()).collect();
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(open as u64), ..limit }).unwrap();
    let _gaps: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    let address = SocketAddrUnix::new(daemon.path()).unwrap();
    let connect = |socket| {
        rustix::net::connect(&socket, &address).unwrap();
        let mut client = UnixStream::from(socket);
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.write_all(PING).unwrap();
        client
    };
    let mut queued: Vec<_> = queued.into_iter().map(connect).collect();
    let (begun, used) = (Instant::now(), cpu());
    for client in &mut here {
        ping(client);
    }
    queued[0].set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let answer = queued[0].read(&mut [0; 8]);
    assert!(answer.is_err(), "an answer without a descriptor: {answer:?}");
    queued[0].set_read_timeout(Some(PATIENCE)).unwrap();
    // Who spins takes all of one CPU.
    let share = cpu().saturating_sub(used).as_secs_f64() / begun.elapsed().as_secs_f64();
    assert!(share < 0.2, "{share} of a CPU while nobody can be taken in");
    drop(here);
    for client in &mut queued {
        expect(client, b"+PONG\r\n");
        ping(client);
    }
}
