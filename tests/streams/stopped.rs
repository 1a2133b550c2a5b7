//! Streams that are asked to stop.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use dockipc::error::Unfinished;
use dockipc::{Cancel, Server, State, Stopped, Stream, command};
use tests::process::until;
use tests::{Daemon, expect, resp, rest};

use super::states::{Given, Streaming, Told, in_resp3};

/// Send a number again and again, and tell why that ended.
#[command]
fn repeat(told: State<Told>, n: u32, size: usize) -> Stream<Vec<u8>> {
    Stream::new(move |sink| {
        loop {
            if let Err(why) = sink.send(vec![u8::try_from(n).unwrap(); size]) {
                told.tell(why);
                assert!(sink.is_closed());
                return Err(why.into());
            }
        }
    })
}

/// The items of another thread, which says when the stream is dropped.
struct Waiting(Receiver<u32>, Told);

impl Iterator for Waiting {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.0.recv().ok()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.1.tell(Stopped::Cancelled);
    }
}

/// Answer with what the test sends.
#[command]
fn waiting(items: State<Given>, told: State<Told>) -> Stream<u32> {
    let items = items.lock().unwrap().take().unwrap();
    Stream::iter(Waiting(items, Told::clone(&told)))
}

fn start(server: Server) -> (Daemon, Sender<u32>, Receiver<Stopped>) {
    let Streaming { daemon, given, reasons, .. } = Streaming::start(server);
    (daemon, given, reasons)
}

#[test]
fn client_that_leaves_ends_the_stream() {
    let (daemon, _, reasons) = start(Server::new());
    for size in [10, 100_000] {
        let mut stream = daemon.connect();
        writeln!(stream, "repeat 7 {size}").unwrap();
        let mut first = [0; 10];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(first, [7; 10]);
        drop(stream);
        assert_eq!(reasons.recv().unwrap(), Stopped::Cancelled);
    }
}

#[test]
fn half_close_cancels_a_stream_of_our_client() {
    let (daemon, sender, reasons) = start(Server::new());
    let mut stream = in_resp3(&daemon);
    stream.write_all(&resp(&["dockipc", "with", "stream", "items", "--", "waiting"])).unwrap();
    sender.send(5).unwrap();
    expect(&mut stream, b">3\r\n$7\r\ndockipc\r\n$4\r\nitem\r\n:5\r\n");
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(stream), b"-CANCELLED the command was cancelled\r\n");
    // The iterator is dropped after its next item, if it waits for one.
    let _ = sender.send(6);
    assert_eq!(reasons.recv().unwrap(), Stopped::Cancelled);
}

#[test]
fn half_close_of_a_line_does_not_end_a_stream() {
    let (daemon, sender, _reasons) = start(Server::new());
    let mut stream = daemon.connect();
    stream.write_all(b"waiting\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    sender.send(5).unwrap();
    expect(&mut stream, b"5\n");
    sender.send(6).unwrap();
    drop(sender);
    assert_eq!(rest(stream), b"6\n");
}

#[test]
fn operator_cancels_a_stream() {
    let (daemon, sender, _reasons) = start(Server::new());
    let mut stream = daemon.connect();
    stream.write_all(b"waiting\n").unwrap();
    sender.send(5).unwrap();
    expect(&mut stream, b"5\n");
    let client = daemon.handle().client();
    let running: Vec<dockipc::Reply> = client.command("dockipc").arg("running").call().unwrap();
    assert_eq!(running.len(), 1);
    let dockipc::Reply::Map(fields) = &running[0] else { panic!("{running:?}") };
    let id =
        fields.iter().find(|(name, _)| *name == dockipc::Reply::bytes("id")).unwrap().1.clone();
    let id: u64 = id.parse().unwrap();
    client.command("dockipc").arg("cancel").arg(id).call::<()>().unwrap();
    assert_eq!(rest(stream), b"-CANCELLED the command was cancelled\n");
    drop(sender);
}

#[test]
fn run_timeout_is_the_time_between_two_items() {
    let server = Server::new().run_timeout(Duration::from_millis(1500));
    let (daemon, sender, _reasons) = start(server);
    let mut stream = daemon.connect();
    stream.write_all(b"waiting\n").unwrap();
    for n in 0..10 {
        // Together they take longer than the timeout.
        std::thread::sleep(Duration::from_millis(200));
        sender.send(n).unwrap();
        expect(&mut stream, format!("{n}\n").as_bytes());
    }
    let answer = String::from_utf8(rest(stream)).unwrap();
    assert!(answer.starts_with("-TIMEOUT "), "{answer}");
    drop(sender);
}

#[test]
fn stop_ends_a_stream_with_a_reason() {
    let server = Server::new().shutdown_timeout(Duration::from_millis(50));
    let (daemon, sender, reasons) = start(server);
    let mut streams = [daemon.connect(), daemon.connect()];
    streams[0].write_all(b"waiting\n").unwrap();
    sender.send(5).unwrap();
    expect(&mut streams[0], b"5\n");
    streams[1].write_all(b"repeat 1 100000\n").unwrap();
    expect(&mut streams[1], &[1; 10]);
    daemon.handle().shutdown();
    let answer = String::from_utf8(rest(streams[0].try_clone().unwrap())).unwrap();
    assert!(answer.starts_with("-SHUTDOWN "), "{answer}");
    assert_eq!(reasons.recv().unwrap(), Stopped::ShuttingDown);
    drop(sender);
}

/// Wait to be asked to stop, and take that for the end.
#[command]
fn until_stopped(cancel: Cancel) -> Stream<u32> {
    Stream::new(move |sink| {
        sink.send(1)?;
        while !cancel.wait(Duration::from_secs(600)) {}
        Ok(())
    })
}

#[test]
fn stopped_stream_is_never_whole() {
    let (daemon, ..) = start(Server::new());
    let call = resp(&["dockipc", "with", "stream", "items", "--", "until-stopped"]);
    for _ in 0..100 {
        let mut stream = in_resp3(&daemon);
        stream.write_all(&call).unwrap();
        expect(&mut stream, b">3\r\n$7\r\ndockipc\r\n$4\r\nitem\r\n:1\r\n");
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(rest(stream), b"-CANCELLED the command was cancelled\r\n");
    }
}

/// Hold a thread until the client has left.
#[command]
fn stuck() -> Stream<u8> {
    Stream::new(|sink| {
        while !sink.is_closed() {
            std::thread::yield_now();
        }
        Ok(())
    })
}

#[test]
fn stream_that_gets_no_thread_is_busy() {
    let server = Server::new().max_threads(4).busy_timeout(Duration::from_millis(100));
    let (daemon, ..) = start(server);
    let mut clients: Vec<_> = (0..8).map(|_| daemon.connect()).collect();
    for client in &mut clients {
        client.write_all(b"stuck\n").unwrap();
    }
    let last = rest(clients.pop().unwrap());
    assert_eq!(last, b"-BUSY no thread was free for 100ms (of 4); there is no item\n");
}

/// Returns whether the user may run another stream.
fn has_room(daemon: &Daemon) -> bool {
    let mut stream = daemon.connect();
    stream.write_all(b"repeat 7 1\n").unwrap();
    let mut first = [0];
    stream.read_exact(&mut first).unwrap();
    assert!(first == [7] || first == *b"-", "{first:?}");
    first == [7]
}

#[test]
fn stream_that_nobody_reads_counts_while_it_runs() {
    let (daemon, sender, reasons) = start(Server::new().max_running_per_user(1));
    let mut stream = daemon.connect();
    stream.write_all(b"waiting\n").unwrap();
    sender.send(5).unwrap();
    expect(&mut stream, b"5\n");
    drop(stream);
    until("the end of the connection", || daemon.ask("dockipc running\n").is_empty());
    assert!(!has_room(&daemon), "its thread still waits for an item");
    sender.send(6).unwrap();
    assert_eq!(reasons.recv().unwrap(), Stopped::Cancelled);
    until("room", || has_room(&daemon));
}

#[test]
fn stop_ends_a_stream_that_listens_at_once() {
    let (daemon, ..) = start(Server::new().shutdown_timeout(Duration::from_secs(600)));
    let mut stream = daemon.connect();
    stream.write_all(b"until-stopped\n").unwrap();
    expect(&mut stream, b"1\n");
    daemon.handle().shutdown();
    assert_eq!(rest(stream), b"-SHUTDOWN the daemon stops; the command was ended\n");
}

#[test]
fn code_of_a_stream_that_a_stop_does_not_end_is_named() {
    let (daemon, sender, reasons) =
        start(Server::new().shutdown_timeout(Duration::from_millis(50)));
    let mut stream = daemon.connect();
    stream.write_all(b"waiting\n").unwrap();
    sender.send(5).unwrap();
    expect(&mut stream, b"5\n");
    daemon.handle().shutdown();
    let unfinished = daemon.handle().join();
    assert_eq!(unfinished.iter().map(Unfinished::name).collect::<Vec<_>>(), ["waiting"]);
    drop(sender);
    assert_eq!(reasons.recv().unwrap(), Stopped::Cancelled, "it ran on");
}
