//! A user at a limit does not affect other users.

use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use dockipc::{Client, Request, Server, command};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tests::gate::Gate;
use tests::process::until;
use tests::users::{self, Shared, User, part, say};
use tests::{PATIENCE, exchange, expect, figure, long, raise_descriptor_limit, resp, rest};

const OWNER: User = User { uid: 51_000, gid: 51_000, groups: &[] };
const NEIGHBOR: User = User { uid: 51_001, gid: 51_001, groups: &[] };
const GREEDY: User = User { uid: 65_534, gid: 65_534, groups: &[] };

/// The number of attempts to exceed the limit in a round, while a neighbor calls.
const TRIES: usize = 1_000;

/// Runs until the daemon ends.
#[command("wait")]
fn wait(request: &Request<'_>) {
    request.state::<Gate>().unwrap().pass();
}

/// Returns the number of running `wait`s.
#[command("waiting")]
fn waits(request: &Request<'_>) -> usize {
    request.state::<Gate>().unwrap().waiting()
}

/// Takes a millisecond.
#[command("slow")]
fn slow() -> &'static str {
    thread::sleep(Duration::from_millis(1));
    "done"
}

#[test]
fn user_at_the_connection_limit_delays_no_other() {
    const MOST: usize = 64;
    const SOON: Duration = Duration::from_millis(50);
    let test = Contest {
        name: "user_at_the_connection_limit_delays_no_other",
        what: "64 connections of a user, and more tries",
        // A connection without a descriptor gets its answer soon.
        server: || Server::new().max_connections_per_user(MOST).busy_timeout(SOON),
        call: |client| assert_eq!(client.send("ping").unwrap(), b"PONG"),
    };
    test.run(|| {
        let mut kept: Vec<_> = (0..MOST).map(|_| connect()).collect();
        kept.iter_mut().for_each(pings);
        let busy = format!("-BUSY too many connections of this user: {MOST} at most; try again");
        let expect_busy = move |answer: Vec<u8>| {
            let answer = String::from_utf8(answer).unwrap();
            assert_eq!(answer.trim_end(), busy);
        };
        let mut round = 0;
        move || {
            round += 1;
            if round % 2 == 1 {
                for _ in 0..TRIES {
                    expect_busy(exchange(connect(), &resp(&["PING"])));
                }
            } else {
                // All at once, without sending anything.
                let many: Vec<_> = (0..TRIES).map(|_| connect()).collect();
                for stream in many {
                    expect_busy(rest(stream));
                }
            }
            kept.iter_mut().for_each(pings);
            TRIES
        }
    });
}

/// By default a user may hold half of the connections.
#[test]
fn one_user_gets_half_of_the_connections_by_default() {
    let test = Contest {
        name: "one_user_gets_half_of_the_connections_by_default",
        what: "half of all connections, and more tries",
        server: || Server::new().busy_timeout(Duration::ZERO),
        call: |client| assert_eq!(client.send("ping").unwrap(), b"PONG"),
    };
    test.run(|| {
        raise_descriptor_limit();
        let mut kept = open_until_refused("-BUSY too many connections of this user: ");
        // A few of the 512 descriptors are the daemon's own.
        assert!((220..=256).contains(&kept.len()), "{} connections", kept.len());
        move || {
            for _ in 0..TRIES {
                let answer = exchange(connect(), &resp(&["PING"]));
                assert!(answer.starts_with(b"-BUSY too many connections of this user: "));
            }
            kept.iter_mut().for_each(pings);
            TRIES
        }
    });
}

/// The pauses of a user that guesses the token do not affect others.
#[test]
fn guesses_of_one_user_pause_no_other() {
    const TOKEN: &str = "0123456789abcdef-the-token";
    let test = Contest {
        name: "guesses_of_one_user_pause_no_other",
        what: "a user's guesses at the token over new connections",
        server: || {
            let mut file = OpenOptions::new();
            let mut file = file.write(true).create_new(true).mode(0o600).open("token").unwrap();
            file.write_all(TOKEN.as_bytes()).unwrap();
            Server::new().token_file("token").allow("waiting", "token")
        },
        call: |client| assert_eq!(client.clone().token(TOKEN).send("waiting").unwrap(), b"0"),
    };
    test.run(|| {
        || {
            for _ in 0..TRIES {
                let answer = exchange(connect(), &resp(&["AUTH", "a guess at the token"]));
                let refused = [&b"-WRONGPASS "[..], b"-BUSY too many wrong tokens from uid 65534"];
                assert!(refused.iter().any(|refused| answer.starts_with(refused)));
            }
            TRIES
        }
    });
}

/// The server's own descriptors are taken off before the rest is halved.
#[test]
fn others_get_in_where_there_are_few_descriptors() {
    const NAME: &str = "others_get_in_where_there_are_few_descriptors";
    match part().as_deref() {
        Some("daemon") => return serve_with(28, Server::new().state(Gate::default())),
        Some("greedy") => {
            let mut kept = open_until_refused("-BUSY too many connections of this user: ");
            say("full");
            users::wait_for_the_end();
            return kept.iter_mut().for_each(pings);
        }
        Some(_) => {
            pings(&mut connect());
            return say("served");
        }
        None if !users::can_be_had() => return,
        None => {}
    }
    let place = Shared::new(OWNER);
    let mut daemon = place.start(NAME, "daemon", OWNER);
    assert_eq!(daemon.line().unwrap(), "ready");
    let mut greedy = place.start(NAME, "greedy", GREEDY);
    assert_eq!(greedy.line().unwrap(), "full");
    assert_eq!(place.play(NAME, "neighbor", NEIGHBOR), ["served"]);
    greedy.end();
}

/// Several users together can take all descriptors; here one user does so without a limit.
#[test]
fn operators_get_in_when_no_descriptor_is_left() {
    const NAME: &str = "operators_get_in_when_no_descriptor_is_left";
    const BUSY: &str =
        "-BUSY no descriptor is left but those reserved for root and the daemon's user";
    match part().as_deref() {
        Some("daemon") => {
            let server = Server::new().max_connections_per_user(None);
            return serve(server.state(Gate::default()));
        }
        Some("greedy") => {
            raise_descriptor_limit();
            let mut kept = open_until_refused(BUSY);
            say("full");
            users::wait_for_the_end();
            // The kept connections still work.
            kept.iter_mut().for_each(pings);
            return;
        }
        Some("stranger") => return say(String::from_utf8_lossy(&rest(connect()))),
        Some(_) => {
            let mut many = [(); 3].map(|()| connect());
            many.iter_mut().for_each(pings);
            say("served");
            return users::wait_for_the_end();
        }
        None if !users::can_be_had() => return,
        None => {}
    }
    let place = Shared::new(OWNER);
    let mut daemon = place.start(NAME, "daemon", OWNER);
    assert_eq!(daemon.line().unwrap(), "ready");
    // Twice: the reserve is restored after use.
    for _ in 0..2 {
        let mut greedy = place.start(NAME, "greedy", GREEDY);
        assert_eq!(greedy.line().unwrap(), "full");
        let refused = || {
            let said = place.play(NAME, "stranger", NEIGHBOR).concat();
            assert!(said.starts_with(BUSY), "{said}");
        };
        refused();
        let mut owner = place.start(NAME, "owner", OWNER);
        assert_eq!(owner.line().unwrap(), "served");
        // This process runs as root.
        let mut root = [(); 3].map(|()| connect_at(&place.directory().join(SOCKET)));
        root.iter_mut().for_each(pings);
        refused();
        drop(root);
        owner.end();
        greedy.end();
        assert_eq!(place.start(NAME, "neighbor", NEIGHBOR).end(), ["served"]);
    }
}

/// Opens connections until one is refused, and returns the served ones.
fn open_until_refused(told: &str) -> Vec<UnixStream> {
    let mut kept = Vec::new();
    loop {
        let mut stream = connect();
        // The daemon may have closed it already.
        let _ = stream.write_all(&resp(&["PING"]));
        let mut answer = [0; 7];
        stream.read_exact(&mut answer).unwrap();
        if answer != *b"+PONG\r\n" {
            let whole = [&answer[..], &rest(stream)].concat();
            let whole = String::from_utf8(whole).unwrap();
            assert!(whole.starts_with(told), "{whole}");
            return kept;
        }
        kept.push(stream);
    }
}

#[test]
fn user_at_the_running_limit_delays_no_other() {
    const BUSY: &[u8] = b"-BUSY too many slow commands of this user: 2 at most; try again\n";
    let test = Contest {
        name: "user_at_the_running_limit_delays_no_other",
        what: "2 slow commands of a user, and more tries",
        server: || Server::new().max_running_per_user(2),
        call: |client| assert_eq!(client.send("slow").unwrap(), b"done"),
    };
    test.run(|| {
        let begin = || {
            let mut stream = connect();
            stream.write_all(b"wait\n").unwrap();
            stream
        };
        let mut kept = Vec::new();
        loop {
            let stream = begin();
            until("an answer or a wait", || has_answer(&stream) || waiting() > kept.len());
            if has_answer(&stream) {
                break;
            }
            kept.push(stream);
        }
        // The run that shows that the command is slow may exceed the limit by one.
        assert!((2..=3).contains(&kept.len()), "{} run", kept.len());
        move || {
            for _ in 0..TRIES {
                assert_eq!(rest(begin()), BUSY);
            }
            assert_eq!(waiting(), kept.len());
            TRIES
        }
    });
}

#[test]
fn user_at_the_byte_limit_delays_no_other() {
    const MOST: usize = 100_000;
    let test = Contest {
        name: "user_at_the_byte_limit_delays_no_other",
        what: "100,000 bytes of a user that wait, and more tries",
        server: || Server::new().max_bytes_per_user(MOST),
        call: |client| {
            let bytes = vec![b'x'; 90_000];
            let answer: Vec<u8> = client.command("echo").arg(&bytes).call().unwrap();
            assert!(answer == bytes);
        },
    };
    test.run(|| {
        let begin = || {
            let mut stream = connect();
            // The rest is never sent.
            stream.write_all(b"*2\r\n$4\r\necho\r\n$500000\r\n").unwrap();
            stream.write_all(&vec![b'x'; MOST * 9 / 10]).unwrap();
            stream
        };
        let mut kept = begin();
        move || {
            for _ in 0..TRIES {
                let mut more = begin();
                until("an answer", || has_answer(&kept) || has_answer(&more));
                // The server cuts off the connection whose bytes it read last, which may be either.
                if has_answer(&kept) {
                    std::mem::swap(&mut kept, &mut more);
                }
                expect(&mut more, b"-BUSY too much waits in the connections of this user");
            }
            TRIES
        }
    });
}

/// Compares a neighbor's calls alone with those beside a greedy user.
struct Contest {
    /// The name of the test.
    name: &'static str,
    /// The load of the greedy user, for the figure.
    what: &'static str,
    server: fn() -> Server,
    /// The neighbor's call, which checks its answer.
    call: fn(&Client),
}

impl Contest {
    /// Runs the part of this process. `greedy` takes all that its user may have, and returns a function that
    /// tries to exceed the limit.
    fn run<M: FnMut() -> usize>(&self, greedy: impl FnOnce() -> M) {
        match part().as_deref() {
            Some("daemon") => serve((self.server)().state(Gate::default())),
            Some("greedy") => insist(greedy()),
            Some(_) => self.live(),
            None if users::can_be_had() => self.compare(),
            None => {}
        }
    }

    fn compare(&self) {
        let place = Shared::new(OWNER);
        let mut daemon = place.start(self.name, "daemon", OWNER);
        assert_eq!(daemon.line().unwrap(), "ready");
        let neighbor = || place.start(self.name, "neighbor", NEIGHBOR);
        let alone = neighbor().end().join(", ");
        let mut greedy = place.start(self.name, "greedy", GREEDY);
        assert_eq!(greedy.line().unwrap(), "full");
        let beside = neighbor();
        assert_eq!(greedy.line().unwrap(), "tried");
        let beside = beside.end().join(", ");
        let tries = greedy.end().concat();
        figure(
            &format!("another user's calls beside {}", self.what),
            format_args!("alone: {alone}; beside {tries} tries: {beside}"),
        );
    }

    /// Runs the neighbor: calls over a kept connection and over new ones until the test ends
    /// it.
    fn live(&self) {
        let least = long(500, 5_000);
        let over = thread::spawn(users::wait_for_the_end);
        let kept = Client::new(SOCKET);
        let (mut old, mut new) = (Vec::new(), Vec::new());
        while old.len() < least || !over.is_finished() {
            old.push(timed(|| (self.call)(&kept)));
            new.push(timed(|| (self.call)(&Client::new(SOCKET))));
        }
        say(format!("{} calls, {}", old.len() * 2, Percentiles(old)));
        say(format!("over new connections {}", Percentiles(new)));
    }
}

const SOCKET: &str = "first";

fn serve(server: Server) {
    // Few descriptors, so that a greedy user could exhaust them.
    serve_with(512, server);
}

fn serve_with(descriptors: u64, server: Server) {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(descriptors), ..limit }).unwrap();
    let daemon = server.shutdown_timeout(Duration::ZERO).spawn(SOCKET).unwrap();
    say("ready");
    users::wait_for_the_end();
    drop(daemon);
}

/// Tries to exceed the limit twice, and then until the test ends it.
fn insist(mut more: impl FnMut() -> usize) {
    raise_descriptor_limit();
    let over = thread::spawn(users::wait_for_the_end);
    say("full");
    let mut tries = more() + more();
    say("tried");
    while !over.is_finished() {
        tries += more();
    }
    say(tries);
}

fn connect() -> UnixStream {
    connect_at(Path::new(SOCKET))
}

fn connect_at(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Returns whether an answer has arrived.
fn has_answer(stream: &UnixStream) -> bool {
    let read = recv(stream, &mut [0; 1][..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
    read != Err(Errno::AGAIN)
}

fn waiting() -> usize {
    Client::new(SOCKET).command("waiting").call().unwrap()
}

fn pings(stream: &mut UnixStream) {
    stream.write_all(&resp(&["PING"])).unwrap();
    expect(stream, b"+PONG\r\n");
}

fn timed(what: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    what();
    begin.elapsed()
}

struct Percentiles(Vec<Duration>);

impl Display for Percentiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut times = self.0.clone();
        times.sort_unstable();
        let at = |hundredths: usize| times[(times.len() - 1) * hundredths / 100];
        write!(f, "p50 {:?} p99 {:?} most {:?}", at(50), at(99), at(100))
    }
}
