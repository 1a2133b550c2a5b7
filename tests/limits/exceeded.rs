//! A client that exceeds a limit gets an answer that names it, and other clients are not affected.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use dockipc::{Request, Server, command};
use rustix::process::{Resource, Rlimit, Uid, setrlimit};
use tests::apart::{self, Apart};
use tests::gate::Gate;
use tests::process::until;
use tests::{Daemon, PATIENCE, Place, exchange, expect, resp, rest};

/// A short limit that a busy machine still meets.
const SHORT: Duration = Duration::from_millis(100);

/// Waits at the gate, then answers with its word.
#[command("wait")]
fn wait(request: &Request<'_>, word: &str) -> String {
    request.state::<Gate>().unwrap().pass();
    word.to_owned()
}

#[command("large")]
fn large(size: usize) -> Vec<u8> {
    vec![b'x'; size]
}

fn start(server: impl FnOnce(Server) -> Server) -> (Daemon, Gate) {
    let gate = Gate::default();
    (Daemon::start(server(Server::new().state(gate.clone()))), gate)
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// Reads once. Returns `None` if nothing arrives within this time.
fn listen(stream: &mut UnixStream, time: Duration) -> Option<Vec<u8>> {
    stream.set_read_timeout(Some(time)).unwrap();
    let mut bytes = vec![0; 4096];
    let read = stream.read(&mut bytes);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    match read {
        Ok(n) => {
            bytes.truncate(n);
            Some(bytes)
        }
        Err(e) if e.kind() == ErrorKind::WouldBlock => None,
        Err(e) => panic!("{e}"),
    }
}

mod arrival {
    use super::*;

    /// Sends one byte at a time until an answer arrives.
    fn trickle(stream: &mut UnixStream, bytes: &[u8]) -> Vec<u8> {
        for byte in bytes {
            stream.write_all(&[*byte]).unwrap();
            if let Some(answer) = listen(stream, Duration::from_millis(5)) {
                return answer;
            }
        }
        panic!("all {} bytes were awaited", bytes.len());
    }

    #[test]
    fn trickling_command_gets_timeout() {
        let (daemon, _) = start(|server| server.arrival_timeout(SHORT));
        let told = "-TIMEOUT the command was not whole after 100ms; nothing was run";
        let line = [b"echo ", &[b'x'; 4000][..]].concat();
        let mut stream = daemon.connect();
        assert_eq!(text(&trickle(&mut stream, &line)), format!(r"{told}\n"));
        assert_eq!(text(&rest(stream)), "");
        let framed = [b"*2\r\n$4\r\necho\r\n$4000\r\n", &[b'x'; 4000][..]].concat();
        let mut stream = daemon.connect();
        assert_eq!(text(&trickle(&mut stream, &framed)), format!(r"{told}\r\n"));
        assert_eq!(text(&rest(stream)), "");
    }

    #[test]
    fn skipped_command_has_the_same_arrival_timeout() {
        let (daemon, _) = start(|server| server.arrival_timeout(SHORT).max_command(1000));
        let mut stream = daemon.connect();
        let framed = [b"*2\r\n$4\r\necho\r\n$9000\r\n", &[b'x'; 9000][..]].concat();
        let answer = text(&trickle(&mut stream, &framed));
        assert!(answer.starts_with("-TIMEOUT "), "{answer}");
    }

    #[test]
    fn arrival_timeout_starts_at_the_first_byte() {
        let (daemon, _) = start(|server| server.arrival_timeout(SHORT));
        let mut stream = daemon.connect();
        // Idle for longer than the limit, before the first byte and between commands.
        for _ in 0..2 {
            assert_eq!(listen(&mut stream, SHORT * 2), None);
            stream.write_all(&resp(&["ping"])).unwrap();
            expect(&mut stream, b"+PONG\r\n");
        }
        stream.write_all(&[&resp(&["ping"])[..], b"*1\r\n$4\r\npi"].concat()).unwrap();
        expect(&mut stream, b"+PONG\r\n-TIMEOUT the command was not whole after 100ms; ");
        let _ = rest(stream);
    }

    #[test]
    fn arrival_timeout_allows_any_number_of_commands() {
        let limit = Duration::from_secs(2);
        let (daemon, _) = start(|server| server.arrival_timeout(limit));
        let mut stream = daemon.connect();
        let begun = Instant::now();
        // A part of a command is always pending, each time of another command.
        let pings = resp(&["ping"]);
        stream.write_all(&pings[..5]).unwrap();
        while begun.elapsed() < limit * 3 / 2 {
            stream.write_all(&[&pings[5..], &pings[..5]].concat()).unwrap();
            expect(&mut stream, b"+PONG\r\n");
            assert_eq!(listen(&mut stream, Duration::from_millis(20)), None);
        }
    }
}

mod idle {
    use super::*;

    #[test]
    fn silent_client_gets_timeout() {
        let (daemon, _) = start(|server| server.idle_timeout(SHORT));
        assert_eq!(text(&rest(daemon.connect())), r"-TIMEOUT no command within 100ms\n");
    }

    #[test]
    fn idle_connection_closes_silently_after_a_command() {
        let (daemon, _) = start(|server| server.idle_timeout(SHORT));
        let mut stream = daemon.connect();
        for _ in 0..3 {
            stream.write_all(&resp(&["ping"])).unwrap();
            expect(&mut stream, b"+PONG\r\n");
        }
        assert_eq!(text(&rest(stream)), "");
    }

    #[test]
    fn skipped_input_is_no_command() {
        let (daemon, _) = start(|server| server.idle_timeout(SHORT));
        let mut stream = daemon.connect();
        stream.write_all(&resp(&["ping"])).unwrap();
        expect(&mut stream, b"+PONG\r\n");
        until("the end", || (&stream).write_all(b"\r\n*0\r\n").is_err());
    }

    #[test]
    fn running_command_is_not_idle() {
        let (daemon, gate) = start(|server| server.idle_timeout(SHORT));
        let mut stream = daemon.connect();
        stream.write_all(&resp(&["wait", "x"])).unwrap();
        assert_eq!(listen(&mut stream, SHORT * 3), None);
        gate.open();
        expect(&mut stream, b"$1\r\nx\r\n");
    }
}

mod write {
    use super::*;

    /// More bytes than socket buffers hold.
    const SIZE: usize = 8 << 20;

    #[test]
    fn client_that_does_not_read_is_cut_off() {
        let (daemon, _) = start(|server| server.write_timeout(SHORT));
        for command in [format!("large {SIZE}\n").into_bytes(), resp(&["large", "8388608"])] {
            let mut stream = daemon.connect();
            stream.write_all(&command).unwrap();
            // A write sees that the server closed, as long as the answer is not read.
            until("the end", || (&stream).write_all(b"x").is_err());
            // The server did not read all bytes, which is an error after the rest of the answer.
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            assert!(answer.len() < SIZE, "all of it");
        }
    }

    #[test]
    fn client_that_reads_slowly_is_cut_off() {
        let (daemon, _) = start(|server| server.write_timeout(SHORT));
        let mut stream = daemon.connect();
        stream.write_all(format!("large {SIZE}\n").as_bytes()).unwrap();
        let mut read = 0;
        while let Ok(n @ 1..) = stream.read(&mut [0; 1000]) {
            read += n;
            assert!(read < SIZE, "all of it");
            // Eight thousand of these pauses exceed the limit.
            thread::sleep(Duration::from_millis(1));
        }
    }
}

mod run {
    use super::*;

    const TOLD: &str = "-TIMEOUT no answer after 100ms; the command still runs";

    #[test]
    fn run_timeout_keeps_the_resp_connection() {
        for hello in [None, Some("2"), Some("3")] {
            let (daemon, gate) = start(|server| server.run_timeout(SHORT));
            let mut stream = daemon.connect();
            if let Some(version) = hello {
                stream.write_all(&resp(&["hello", version])).unwrap();
                while !listen(&mut stream, PATIENCE).unwrap().ends_with(b"*0\r\n") {}
            }
            // The second time, the command is known to be slow.
            for round in 1..=2 {
                let commands = [resp(&["ping"]), resp(&["wait", "x"]), resp(&["ping"])];
                stream.write_all(&commands.concat()).unwrap();
                expect(&mut stream, format!("+PONG\r\n{TOLD}\r\n").as_bytes());
                assert_eq!((gate.waiting(), gate.came()), (1, round));
                assert_eq!(listen(&mut stream, SHORT * 2), None, "the next waits for its end");
                gate.open();
                expect(&mut stream, b"+PONG\r\n");
                gate.close();
            }
            stream.write_all(&resp(&["echo", "me"])).unwrap();
            expect(&mut stream, b"$2\r\nme\r\n");
        }
    }

    #[test]
    fn run_timeout_ends_the_line_connection() {
        let (daemon, gate) = start(|server| server.run_timeout(SHORT));
        for round in 1..=2 {
            let mut stream = daemon.connect();
            stream.write_all(b"wait x\n").unwrap();
            assert_eq!(text(&rest(stream)), format!(r"{TOLD}\n"));
            assert_eq!((gate.waiting(), gate.came()), (1, round));
            gate.open();
            until("the command's end", || gate.waiting() == 0);
            gate.close();
        }
    }

    #[test]
    fn run_timeout_reaches_our_client_as_refusal() {
        let (daemon, gate) = start(|server| server.run_timeout(SHORT));
        let client = dockipc::Client::new(daemon.path());
        let error = client.command("wait").arg("x").call::<String>().unwrap_err();
        assert_eq!(error.failure().unwrap().code(), "TIMEOUT");
        gate.open();
        assert_eq!(client.command("wait").arg("y").call::<String>().unwrap(), "y");
        assert_eq!(gate.came(), 2);
    }
}

mod busy {
    use super::*;

    #[test]
    fn command_without_a_free_thread_gets_busy() {
        let (daemon, gate) = start(|server| server.max_threads(3).busy_timeout(SHORT));
        // The first run marks the command as slow.
        let mut blocked = vec![daemon.connect()];
        blocked[0].write_all(&resp(&["wait", "x"])).unwrap();
        until("a blocked command", || gate.waiting() == 1);
        let told = "-BUSY no thread was free for 100ms (of 3); the command was not run";
        // One or two commands occupy all threads.
        let refused = (0..5).find_map(|_| {
            let mut stream = daemon.connect();
            stream.write_all(&resp(&["wait", "x"])).unwrap();
            let answer = listen(&mut stream, SHORT * 20);
            blocked.push(stream);
            answer
        });
        assert_eq!(refused.as_deref().map(text), Some(format!(r"{told}\r\n")));
        assert_eq!(text(&exchange(daemon.connect(), b"wait x\n")), format!(r"{told}\n"));
        let came = gate.came();
        assert_eq!(came, gate.waiting(), "who was told busy has not run");
        assert_eq!(text(&exchange(daemon.connect(), b"ping\n")), "PONG");
        // The last connection got the answer and continues.
        let mut refused = blocked.pop().unwrap();
        assert_eq!(blocked.len(), came);
        refused.write_all(&resp(&["ping"])).unwrap();
        expect(&mut refused, b"+PONG\r\n");
        gate.open();
        for stream in &mut blocked {
            expect(stream, b"$1\r\nx\r\n");
        }
        refused.write_all(&resp(&["wait", "y"])).unwrap();
        expect(&mut refused, b"$1\r\ny\r\n");
    }

    /// Not a test: the daemon of the test below.
    #[test]
    fn daemon() {
        apart::serve(|path| {
            let most = Some(32);
            setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).unwrap();
            let server = Server::new().state(Gate::default());
            server.busy_timeout(SHORT).run(path).unwrap();
        });
    }

    #[test]
    fn connections_without_a_descriptor_get_busy() {
        let place = Place::new();
        let daemon = Apart::start("busy::daemon", place.socket());
        let begin = |_| {
            let mut stream = daemon.connect();
            stream.write_all(&resp(&["ping"])).unwrap();
            stream
        };
        let mut streams: Vec<_> = (0..40).map(begin).collect();
        let answer = |stream: &mut UnixStream| {
            let mut answer = [0];
            let mut line = Vec::new();
            while !line.ends_with(b"\n") {
                stream.read_exact(&mut answer).unwrap();
                line.push(answer[0]);
            }
            text(&line)
        };
        let answers: Vec<_> = streams.iter_mut().map(answer).collect();
        let told = r"-BUSY no descriptor is left for this connection; try again\r\n";
        let served = answers.iter().filter(|answer| *answer == r"+PONG\r\n").count();
        let refused = answers.iter().filter(|answer| *answer == told).count();
        assert!(served > 10 && refused > 5 && served + refused == 40, "{answers:?}");
        // Open connections continue, and a closed one makes room.
        let mut kept: Vec<_> = streams.drain(..).zip(answers).collect();
        kept.retain(|(_, answer)| answer != told);
        for (stream, _) in &mut kept {
            stream.write_all(&resp(&["ping"])).unwrap();
            expect(stream, b"+PONG\r\n");
        }
        drop(kept);
        let room = || exchange(daemon.connect(), b"ping\n") == b"PONG";
        until("room", room);
    }
}

mod users {
    use super::*;

    /// Connects as another user. Only this thread changes its user.
    fn connect_as(uid: u32, daemon: &Daemon) -> UnixStream {
        let connect = || {
            rustix::thread::set_thread_res_uid(None, Uid::from_raw(uid), None).unwrap();
            daemon.connect()
        };
        thread::scope(|scope| scope.spawn(connect).join().unwrap())
    }

    #[test]
    fn connections_of_one_user_are_limited() {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: only root can become other users");
            assert!(env::var_os("DOCKIPC_REQUIRE_PEERS").is_none(), "this test needs root");
            return;
        }
        let (daemon, _) = start(|server| server.max_connections_per_user(3));
        let directory = daemon.path();
        let directory = directory.parent().unwrap();
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
        let ping = |stream: &mut UnixStream| {
            stream.write_all(&resp(&["ping"])).unwrap();
            expect(stream, b"+PONG\r\n");
        };
        let told = "-BUSY too many connections of this user: 3 at most; try again";
        let uids = [0, 12345, 12346];
        let mut all = Vec::new();
        for uid in uids {
            for _ in 0..3 {
                all.push(connect_as(uid, &daemon));
                ping(all.last_mut().unwrap());
            }
            let line = exchange(connect_as(uid, &daemon), b"ping\n");
            assert_eq!(text(&line), format!(r"{told}\n"), "user {uid}");
            let framed = exchange(connect_as(uid, &daemon), &resp(&["ping"]));
            assert_eq!(text(&framed), format!(r"{told}\r\n"), "user {uid}");
        }
        all.iter_mut().for_each(ping);
        // A closed connection makes room for another of the same user.
        all.remove(4);
        until("room", || exchange(connect_as(12345, &daemon), b"ping\n") == b"PONG");
        assert!(exchange(connect_as(12346, &daemon), b"ping\n").starts_with(b"-BUSY "));
        all.clear();
        for uid in uids {
            until("room", || exchange(connect_as(uid, &daemon), b"ping\n") == b"PONG");
        }
    }
}
