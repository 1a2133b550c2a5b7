//! Threads follow commands: a client that blocks, floods or does not read slows no other client.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use dockipc::{Handle, Request, Server, command};
use tests::dice::Dice;
use tests::gate::Gate;
use tests::process::{alone, threads, until};
use tests::{expect, long, raise_descriptor_limit};

/// Like `wait`, under another name: the server learns the speed of each command separately.
#[command("hold")]
fn hold(request: &Request<'_>) {
    request.state::<Gate>().unwrap().pass();
}

/// Costs the server more time than it costs a client to send it.
#[command("work")]
fn work() -> u64 {
    (0..30_000).fold(0, |sum, n| std::hint::black_box(sum + n))
}

/// Computes for longer than it takes to wake a thread, and answers with the thread that did it.
#[command("compute")]
fn compute() -> String {
    let end = Instant::now() + Duration::from_micros(100);
    while Instant::now() < end {
        std::hint::spin_loop();
    }
    format!("{:?}", thread::current().id())
}

#[command("blob")]
fn blob(size: usize) -> Vec<u8> {
    vec![b'x'; size]
}

/// A server that is stopped when the test ends. If it does not stop, the test fails instead of hanging.
struct Running(Option<Handle>);

impl std::ops::Deref for Running {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        self.0.as_ref().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let handle = self.0.take();
        if thread::panicking() {
            // It may never stop.
            std::mem::forget(handle);
        } else {
            let stopping = thread::spawn(move || drop(handle));
            until("the server's end", || stopping.is_finished());
        }
    }
}

fn start(server: Server) -> (Running, Gate) {
    let gate = Gate::default();
    let handle = server.state(gate.clone()).spawn_in_process().unwrap();
    (Running(Some(handle)), gate)
}

fn connect(daemon: &Handle) -> UnixStream {
    let stream = daemon.connect().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

#[test]
fn blocked_handlers_leave_others_served() {
    let _alone = alone();
    raise_descriptor_limit();
    let (daemon, gate) = start(Server::new());
    let mut clients: Vec<_> = (0..1000).map(|_| connect(&daemon)).collect();
    for (i, client) in clients.iter_mut().enumerate() {
        client.write_all(format!("wait {i}\n").as_bytes()).unwrap();
    }
    until("1000 blocked handlers", || gate.waiting() == 1000);
    for _ in 0..100 {
        let mut other = connect(&daemon);
        other.write_all(b"ping\n").unwrap();
        expect(&mut other, b"PONG");
    }
    gate.open();
    for (i, client) in clients.iter_mut().enumerate() {
        expect(client, i.to_string().as_bytes());
    }
    drop(clients);
    until("the threads' end", || threads() == 2);
}

#[test]
fn command_that_blocks_after_a_pause_is_noticed() {
    let _alone = alone();
    let gate = Gate::default();
    let rounds = long(150, 5_000);
    // Each is new to the server, which takes it for a quick one.
    let mut server = Server::new().state(gate.clone());
    for round in 0..rounds {
        let gate = gate.clone();
        server = server.handle(format!("block{round}"), move |_: &Request<'_>| gate.pass());
    }
    let daemon = server.spawn_in_process().expect("a server that starts");
    let mut dice = Dice::thrown();
    for round in 0..rounds {
        // About the time after which the threads go to sleep.
        thread::sleep(Duration::from_millis(8) + dice.moment(Duration::from_millis(5)));
        let mut blocked = connect(&daemon);
        blocked.write_all(format!("block{round}\n").as_bytes()).unwrap();
        until("a command that blocks", || gate.waiting() == 1);
        let mut other = connect(&daemon);
        other.write_all(b"ping\n").unwrap();
        expect(&mut other, b"PONG");
        gate.open();
        drop(blocked);
        until("its end", || gate.waiting() == 0);
        gate.close();
    }
}

#[test]
fn commands_beyond_thread_limit_wait() {
    let _alone = alone();
    let (daemon, gate) = start(Server::new().max_threads(6));
    let mut clients: Vec<_> = (0..50).map(|_| connect(&daemon)).collect();
    for client in &mut clients {
        client.write_all(b"*2\r\n$4\r\nwait\r\n$1\r\nx\r\n").unwrap();
    }
    until("some blocked handlers", || gate.waiting() >= 4);
    // One thread is left for commands that do not block.
    let mut other = connect(&daemon);
    other.write_all(b"ping\n").unwrap();
    expect(&mut other, b"PONG");
    gate.open();
    for client in &mut clients {
        expect(client, b"$1\r\nx\r\n");
    }
}

#[test]
fn short_computing_commands_run_on_several_threads() {
    let _alone = alone();
    let (daemon, _gate) = start(Server::new().max_cores(2));
    let seen = Mutex::new(std::collections::HashSet::new());
    let has_both = || seen.lock().unwrap().len() > 1;
    thread::scope(|scope| {
        for _ in 0..4 {
            let mut client = connect(&daemon);
            let (seen, has_both) = (&seen, &has_both);
            scope.spawn(move || {
                let mut answer = [0; 64];
                let end = Instant::now() + Duration::from_secs(20);
                while !has_both() && Instant::now() < end {
                    client.write_all(b"*1\r\n$7\r\ncompute\r\n").unwrap();
                    let n = client.read(&mut answer).unwrap();
                    seen.lock().unwrap().insert(answer[..n].to_vec());
                }
            });
        }
    });
    assert!(has_both());
}

#[test]
fn answer_does_not_wait_for_later_blocking_command() {
    let _alone = alone();
    let (daemon, gate) = start(Server::new());
    // The first time the server does not know that the command blocks; the second time it does.
    for _ in 0..2 {
        let mut client = connect(&daemon);
        let wait = b"*2\r\n$4\r\nwait\r\n$1\r\nx\r\n";
        let ping = b"*1\r\n$4\r\nping\r\n";
        client.write_all(&[&ping[..], wait, ping, wait, ping].concat()).unwrap();
        expect(&mut client, b"+PONG\r\n");
        until("a blocked handler", || gate.waiting() == 1);
        gate.open();
        expect(&mut client, b"$1\r\nx\r\n+PONG\r\n$1\r\nx\r\n+PONG\r\n");
        gate.close();
    }
}

#[test]
fn pipelined_commands_are_answered_in_order() {
    let _alone = alone();
    let (daemon, gate) = start(Server::new());
    gate.open();
    let mut client = connect(&daemon);
    let mut sent = Vec::new();
    let mut expected = Vec::new();
    for i in 0..2000 {
        let word = format!("{i:04}");
        let name = if i % 3 == 0 { "wait" } else { "echo" };
        sent.extend_from_slice(format!("*2\r\n$4\r\n{name}\r\n$4\r\n{word}\r\n").as_bytes());
        expected.extend_from_slice(format!("$4\r\n{word}\r\n").as_bytes());
    }
    let mut writer = client.try_clone().unwrap();
    let writing = thread::spawn(move || writer.write_all(&sent).unwrap());
    expect(&mut client, &expected);
    writing.join().unwrap();
}

/// Limits the input that has arrived at shutdown: answering it all would take longer than a test should.
const SOON: Duration = Duration::from_millis(100);

#[test]
fn endless_pipeline_starves_no_other_client() {
    let _alone = alone();
    let (daemon, _) = start(Server::new().shutdown_timeout(SOON));
    let floods: Vec<_> = (0..3).flat_map(|_| flood(connect(&daemon), || ())).collect();
    for _ in 0..50 {
        let mut other = connect(&daemon);
        other.write_all(b"echo me\n").unwrap();
        expect(&mut other, b"me");
    }
    drop(daemon);
    for thread in floods {
        thread.join().unwrap();
    }
}

/// Sends commands without end, faster than the server answers them, and reads all answers. Returns after
/// the first answers; calls `begin` when more is sent than the server reads at once.
fn flood(mut client: UnixStream, begin: impl FnOnce()) -> [thread::JoinHandle<()>; 2] {
    let mut reader = client.try_clone().unwrap();
    let many = b"*1\r\n$4\r\nwork\r\n".repeat(1000);
    for _ in 0..5 {
        client.write_all(&many).unwrap();
    }
    let writing = thread::spawn(move || while client.write_all(&many).is_ok() {});
    let (some, begun) = std::sync::mpsc::channel();
    let reading = thread::spawn(move || {
        let mut buffer = vec![0; 65536];
        let mut read = 0;
        while let Ok(n @ 1..) = reader.read(&mut buffer) {
            read += n;
            if read > 10_000 {
                let _ = some.send(());
            }
        }
    });
    begin();
    begun.recv_timeout(Duration::from_secs(30)).expect("answers");
    [reading, writing]
}

/// A flood behind a command that blocked: the thread that serves it no longer leads.
fn late_flood(daemon: &Handle, gate: &Gate) -> [thread::JoinHandle<()>; 2] {
    let mut client = connect(daemon);
    client.write_all(b"*1\r\n$4\r\nhold\r\n").unwrap();
    until("a blocked handler", || gate.waiting() == 1);
    // Answered by the thread that leads now.
    let mut other = connect(daemon);
    other.write_all(b"ping\n").unwrap();
    expect(&mut other, b"PONG");
    flood(client, || gate.open())
}

#[test]
fn endless_pipeline_ends_at_shutdown() {
    let _alone = alone();
    let (daemon, gate) = start(Server::new().shutdown_timeout(SOON));
    let clients = late_flood(&daemon, &gate);
    drop(daemon);
    for thread in clients {
        thread.join().unwrap();
    }
}

#[test]
fn endless_pipeline_yields_thread_to_waiting_command() {
    let _alone = alone();
    let (daemon, gate) = start(Server::new().shutdown_timeout(SOON).max_threads(2));
    let clients = late_flood(&daemon, &gate);
    // Known to be slow, so that the leader does not run it.
    let mut other = connect(&daemon);
    other.write_all(b"*1\r\n$4\r\nhold\r\n").unwrap();
    expect(&mut other, b"+OK\r\n");
    drop(daemon);
    for thread in clients {
        thread.join().unwrap();
    }
}

#[test]
fn input_after_a_line_is_drained_after_half_close() {
    let _alone = alone();
    let (daemon, gate) = start(Server::new().max_threads(2));
    // No thread is free: all bytes and the end of input have arrived before the first read.
    let mut waits = connect(&daemon);
    waits.write_all(b"wait x\n").unwrap();
    until("a blocked handler", || gate.waiting() == 1);
    let mut client = connect(&daemon);
    let mut holds = connect(&daemon);
    holds.write_all(b"hold\n").unwrap();
    until("two blocked handlers", || gate.waiting() == 2);
    client.write_all(&[b"echo me\n".to_vec(), vec![b'x'; 100_000]].concat()).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    gate.open();
    assert_eq!(tests::rest(client), b"me");
}

/// More bytes than a socket's buffer holds.
const SIZE: usize = 3_000_000;

#[test]
fn slow_reader_gets_all_answers_later() {
    let _alone = alone();
    let (daemon, _) = start(Server::new());
    let mut lazy: Vec<_> = (0..20).map(|_| connect(&daemon)).collect();
    for client in &mut lazy {
        let blob = format!("*2\r\n$4\r\nblob\r\n$7\r\n{SIZE}\r\n*1\r\n$4\r\nping\r\n");
        client.write_all(blob.as_bytes()).unwrap();
    }
    for _ in 0..100 {
        let mut other = connect(&daemon);
        other.write_all(b"ping\n").unwrap();
        expect(&mut other, b"PONG");
    }
    for client in &mut lazy {
        expect(client, format!("${SIZE}\r\n").as_bytes());
        let mut body = vec![0; SIZE];
        client.read_exact(&mut body).unwrap();
        assert!(body.iter().all(|&b| b == b'x'));
        expect(client, b"\r\n+PONG\r\n");
    }
}

#[test]
fn idle_server_has_two_threads() {
    let _alone = alone();
    let (daemon, _) = start(Server::new());
    let clients: Vec<_> = (0..200)
        .map(|_| {
            let mut client = connect(&daemon);
            client.write_all(b"*1\r\n$4\r\nping\r\n").unwrap();
            expect(&mut client, b"+PONG\r\n");
            client
        })
        .collect();
    until("two threads", || threads() == 2);
    drop(daemon);
    until("no threads", || threads() == 0);
    for mut client in clients {
        assert_eq!(client.read(&mut [0; 8]).unwrap(), 0, "idle connections are closed");
    }
}

#[test]
fn shutdown_waits_for_running_command() {
    let _alone = alone();
    // Whether the leader waits for events when the command ends differs from run to run.
    for _ in 0..50 {
        let (daemon, gate) = start(Server::new());
        let mut client = connect(&daemon);
        client.write_all(b"wait end\n").unwrap();
        until("a blocked handler", || gate.waiting() == 1);
        daemon.shutdown();
        daemon.shutdown();
        assert!(daemon.connect().is_err(), "a stopped server takes nobody in");
        gate.open();
        expect(&mut client, b"end");
        daemon.join();
        daemon.join();
    }
}

#[test]
fn command_can_stop_its_own_server() {
    let _alone = alone();
    let own = Arc::new(Mutex::new(None::<Handle>));
    let end = Arc::clone(&own);
    let server = Server::new().handle("end", move |_: &Request<'_>| {
        drop(end.lock().unwrap().take());
    });
    let daemon = server.state(Gate::default()).spawn_in_process().unwrap();
    let mut client = daemon.connect().unwrap();
    client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    *own.lock().unwrap() = Some(daemon);
    client.write_all(b"end\n").unwrap();
    assert_eq!(tests::rest(client), b"");
    until("no threads", || threads() == 0);
}
