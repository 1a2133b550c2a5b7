//! Threads follow commands: who blocks, floods or does not read hurts nobody else.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use dockipc::{Handle, Request, Server, command};
use tests::gate::Gate;
use tests::process::{alone, threads, until};
use tests::{expect, raise_descriptor_limit};

/// As `wait`, under a name of its own: that the one is slow says nothing about the other.
#[command("hold")]
fn hold(request: &Request<'_>) {
    request.state::<Gate>().unwrap().pass();
}

/// Takes the server longer than it takes a client to send it.
#[command("work")]
fn work() -> u64 {
    (0..30_000).fold(0, |sum, n| std::hint::black_box(sum + n))
}

#[command("blob")]
fn blob(size: usize) -> Vec<u8> {
    vec![b'x'; size]
}

/// A server that is stopped in the end. If it does not end, that is a failure and not a hang.
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
fn a_thousand_blocked_handlers_block_nobody_else_and_leave_no_thread() {
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
fn commands_beyond_the_last_thread_wait_and_are_not_lost() {
    let _alone = alone();
    let (daemon, gate) = start(Server::new().max_threads(6));
    let mut clients: Vec<_> = (0..50).map(|_| connect(&daemon)).collect();
    for client in &mut clients {
        client.write_all(b"*2\r\n$4\r\nwait\r\n$1\r\nx\r\n").unwrap();
    }
    until("some blocked handlers", || gate.waiting() >= 4);
    // One thread is left for those who don't block.
    let mut other = connect(&daemon);
    other.write_all(b"ping\n").unwrap();
    expect(&mut other, b"PONG");
    gate.open();
    for client in &mut clients {
        expect(client, b"$1\r\nx\r\n");
    }
}

#[test]
fn an_answer_does_not_wait_for_a_later_command_that_blocks() {
    let _alone = alone();
    let (daemon, gate) = start(Server::new());
    // The first time nobody knows that the command blocks; the second time it is known.
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
fn commands_of_one_connection_are_answered_in_order() {
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

/// What has arrived of an endless pipeline would be answered for longer than a test should last.
const SOON: Duration = Duration::from_millis(100);

#[test]
fn an_endless_pipeline_starves_nobody() {
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

/// Sends without an end what takes the server longer than the sending, and reads all answers.
/// Returns when there are some; `begin` is called when more is sent than is read at once.
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
    // Answered by who leads now.
    let mut other = connect(daemon);
    other.write_all(b"ping\n").unwrap();
    expect(&mut other, b"PONG");
    flood(client, || gate.open())
}

#[test]
fn an_endless_pipeline_ends_when_the_server_stops() {
    let _alone = alone();
    let (daemon, gate) = start(Server::new().shutdown_timeout(SOON));
    let clients = late_flood(&daemon, &gate);
    drop(daemon);
    for thread in clients {
        thread.join().unwrap();
    }
}

#[test]
fn an_endless_pipeline_takes_no_thread_from_commands_that_wait_for_one() {
    let _alone = alone();
    let (daemon, gate) = start(Server::new().shutdown_timeout(SOON).max_threads(2));
    let clients = late_flood(&daemon, &gate);
    // Known to be slow, so that the last thread doesn't run it.
    let mut other = connect(&daemon);
    other.write_all(b"*1\r\n$4\r\nhold\r\n").unwrap();
    expect(&mut other, b"+OK\r\n");
    drop(daemon);
    for thread in clients {
        thread.join().unwrap();
    }
}

#[test]
fn what_follows_a_line_is_read_away_also_when_the_client_has_ended_its_side() {
    let _alone = alone();
    let (daemon, gate) = start(Server::new().max_threads(2));
    // No thread is left: all of the bytes are there, and their end, before the first is read.
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

/// More than a socket holds.
const SIZE: usize = 3_000_000;

#[test]
fn a_client_that_does_not_read_is_parked_and_gets_all_of_its_answers_later() {
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
fn a_server_at_rest_has_two_threads_and_stops_with_none() {
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
fn a_server_told_to_stop_ends_after_the_command_that_runs() {
    let _alone = alone();
    // Whether the leader waits for events when the command ends is a matter of chance.
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
fn a_command_may_end_its_own_server() {
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
