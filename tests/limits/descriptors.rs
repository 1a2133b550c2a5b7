//! A server without free descriptors serves its connections, keeps the others waiting, and uses no CPU.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use dockipc::Server;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use tests::process::until;
use tests::program::{self, Program};
use tests::{Daemon, PATIENCE, Place, expect, figure, long, raise_descriptor_limit, test_name};

/// The environment variable of the process that runs out of descriptors.
const INSIDE: &str = "DOCKIPC_TEST_DESCRIPTORS";

#[test]
fn server_without_descriptors_serves_open_connections() {
    if std::env::var_os(INSIDE).is_some() {
        return run_out();
    }
    let this = std::env::current_exe().unwrap();
    let name = "server_without_descriptors_serves_open_connections";
    let mut command = Command::new(this);
    let output = command
        .args([&*test_name(name), "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

const PING: &[u8] = b"*1\r\n$4\r\nping\r\n";

fn ping(client: &mut UnixStream) {
    client.write_all(PING).unwrap();
    expect(client, b"+PONG\r\n");
}

/// The CPU time that this process has used.
fn cpu() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}

fn run_out() {
    // No connections are reserved for this process's own user.
    let daemon = Daemon::start(Server::new().reserved_connections(0));
    let mut here: Vec<_> = (0..20).map(|_| daemon.connect()).collect();
    for client in &mut here {
        ping(client);
    }
    // Both sides are in this process, so the clients' descriptors are opened first.
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
    // A busy loop would use all of one CPU.
    let share = cpu().saturating_sub(used).as_secs_f64() / begun.elapsed().as_secs_f64();
    assert!(share < 0.2, "{share} of a CPU while nobody can be taken in");
    drop(here);
    for client in &mut queued {
        expect(client, b"+PONG\r\n");
        ping(client);
    }
}

/// Sends a command over each of `count` new connections.
fn crowd(daemon: &Program, count: usize) -> Vec<UnixStream> {
    let client = || {
        let mut client = daemon.connect();
        client.write_all(PING).unwrap();
        client
    };
    (0..count).map(|_| client()).collect()
}

#[test]
fn server_with_64_descriptors_answers_500_clients() {
    raise_descriptor_limit();
    let place = Place::new();
    let path = place.socket();
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""]).arg(program::path()).arg(&path);
    let daemon = Program::start_by(&mut limited, &path);
    daemon.rest();
    let before = (daemon.threads(), daemon.descriptors());
    let clients = crowd(&daemon, 500);
    // The daemon may have inherited a descriptor beyond the limit.
    until("no descriptor left", || daemon.descriptors() >= 64);
    // Less than `busy_timeout`, after which waiting clients get `-BUSY`.
    let time = Duration::from_secs(long(1, 5));
    let (begun, used) = (Instant::now(), daemon.cpu());
    thread::sleep(time);
    let share = daemon.cpu().saturating_sub(used).as_secs_f64() / begun.elapsed().as_secs_f64();
    assert!(daemon.descriptors() >= 64);
    // Each answered client leaves and so frees a descriptor.
    let mut answered = 0;
    for mut client in clients {
        expect(&mut client, b"+PONG\r\n");
        answered += 1;
    }
    let after = || (daemon.threads(), daemon.descriptors());
    until("the daemon as it was", || after() == before);
    figure(
        "64 descriptors, 500 clients",
        format!(
            "{:.1} % of a CPU while exhausted, {answered} of 500 answered after",
            share * 100.0
        ),
    );
    assert!(share < long(0.2, 0.02), "{share} of a CPU while nobody can be taken in");
}
