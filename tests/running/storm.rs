//! Calls that are cancelled at random moments, in every way.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use dockipc::Client;
use rustix::net::RecvFlags;
use rustix::process::Signal;
use tests::dice::Dice;
use tests::peers::lacks;
use tests::process::until;
use tests::program::Program;
use tests::{Place, figure, long, resp};

/// The longest time from a call to its end.
const MOMENT: Duration = Duration::from_millis(2);

/// A client that makes calls and cancels them.
struct Caller<'d> {
    daemon: &'d Program,
    operator: Client,
    dice: Dice,
    number: u64,
}

impl Caller<'_> {
    fn call(&mut self) {
        self.number += 1;
        let word = format!("{}-{}", self.number, self.dice.roll());
        let name = ["linger", "drift", "later"][self.dice.below(3)];
        let mut words = vec![name];
        if name == "later" {
            words.push(&word);
        }
        let deadline = self.dice.below(4).to_string();
        let way = self.dice.below(100);
        let with = |limit: &str| {
            let words = [&["dockipc", "with", "deadline", limit, "--"], &words[..]].concat();
            resp(&words)
        };
        let call = match way {
            0..20 => with("600000"),
            20..40 => with(&deadline),
            _ => resp(&words),
        };
        let mut stream = self.daemon.connect();
        stream.write_all(&[resp(&["client", "id"]), call].concat()).expect("a daemon that reads");
        let id = line(&mut stream);
        thread::sleep(self.dice.moment(MOMENT));
        match way {
            // Half-closed: one answer, and the end.
            0..20 => {
                stream.shutdown(Shutdown::Write).expect("an open connection");
                let mut rest = String::new();
                stream.read_to_string(&mut rest).expect("an answer");
                assert_eq!(rest.matches("\r\n").count(), if rest.starts_with('$') { 2 } else { 1 });
                check(name, rest.strip_suffix("\r\n").unwrap_or(&rest), &word);
            }
            // Timed out: the connection goes on, and its next command gets its own answer.
            20..40 => Self::check_next(&mut stream, name, &word),
            40..60 => {
                let killed = self.operator.command("client").arg("kill").arg("id").arg(&id[1..]);
                let killed: u64 = killed.call().expect("an answer");
                // One that was answered is open still.
                assert_eq!(killed, 1);
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest);
            }
            60..70 => {
                if name == "later" {
                    until("an answer", || {
                        self.answer_later();
                        let look = RecvFlags::PEEK | RecvFlags::DONTWAIT;
                        rustix::net::recv(&stream, &mut [0; 1], look).is_ok()
                    });
                } else {
                    self.cancel(&id[1..]);
                }
                Self::check_next(&mut stream, name, &word);
            }
            _ => drop(stream),
        }
    }

    /// Cancels what runs on a connection, when it runs.
    fn cancel(&self, connection: &str) {
        until("a command to cancel", || {
            let list = self.operator.send("dockipc running").expect("a list");
            let list = String::from_utf8(list).expect("text");
            let mut rows = list.lines().map(|row| row.split('\t').collect::<Vec<_>>());
            let Some(row) = rows.find(|row| row[5] == connection) else { return false };
            self.operator.command("dockipc").arg("cancel").arg(row[1]).call::<()>().is_ok()
        });
    }

    /// Lets the daemon answer the last command that is answered later.
    fn answer_later(&self) {
        let client = self.operator.clone().timeout(Duration::from_millis(1));
        let _ = client.command("later").arg("last").call::<String>();
    }

    /// The answer is one of those that the call can have, and the next one is that of the next command.
    fn check_next(stream: &mut UnixStream, name: &str, word: &str) {
        stream.write_all(&resp(&["echo", word])).expect("a daemon that reads");
        let mut answer = line(stream);
        if answer.starts_with('$') {
            answer = format!("{answer}\r\n{}", line(stream));
        }
        check(name, &answer, word);
        assert_eq!(line(stream), format!("${}", word.len()));
        assert_eq!(line(stream), word);
    }
}

/// Reads a line.
fn line(stream: &mut UnixStream) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("an answer");
        line.push(byte[0]);
    }
    line.truncate(line.len() - 2);
    String::from_utf8(line).expect("text")
}

fn check(name: &str, answer: &str, word: &str) {
    let stopped = ["-CANCELLED ", "-TIMEOUT "].iter().any(|code| answer.starts_with(code));
    let is_own = name == "later" && answer == format!("${}\r\n{word}", word.len());
    assert!(stopped || is_own, "{name} {word}: {answer}");
}

/// Kills client processes while their commands run.
fn killed_clients(daemon: &Program, socket: &str, count: usize, dice: &mut Dice) {
    for _ in 0..count {
        let mut client = Command::new("nc");
        client.args(["-U", socket]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut client = client.spawn().expect("nc");
        let mut input = client.stdin.take().expect("its input");
        input.write_all(b"linger\n").expect("a client that reads");
        thread::sleep(dice.moment(MOMENT));
        client.kill().expect("a client to kill");
        client.wait().expect("its end");
    }
    assert!(daemon.client().send("ping").is_ok());
}

#[test]
fn cancelled_calls_leave_nothing_and_mix_no_answers() {
    let calls = long(2_000, 100_000);
    let place = Place::new();
    let daemon = Program::start(&place.socket());
    daemon.rest();
    let before = (daemon.threads(), daemon.descriptors());
    let mut dice = Dice::thrown();
    thread::scope(|scope| {
        for _ in 0..4 {
            let (daemon, dice) = (&daemon, Dice::new(dice.roll()));
            scope.spawn(move || {
                let operator = daemon.client();
                let mut caller = Caller { daemon, operator, dice, number: 0 };
                for _ in 0..calls / 4 {
                    caller.call();
                }
            });
        }
        if !lacks("nc") {
            let socket = place.socket().to_str().expect("a path in UTF-8").to_owned();
            killed_clients(&daemon, &socket, long(20, 1_000), &mut dice);
        }
    });
    let running = || daemon.client().send("dockipc running").expect("a list");
    until("an empty table", || running().is_empty());
    until("the daemon as it was", || (daemon.threads(), daemon.descriptors()) == before);
    let (threads, descriptors) = before;
    figure(
        "calls cancelled at random moments",
        format!("{calls} calls; before and after: {descriptors} descriptors, {threads} threads"),
    );
}

#[test]
fn stop_ends_every_call_that_waits() {
    for _ in 0..long(5, 200) {
        let place = Place::new();
        let mut daemon = Program::start(&place.socket());
        let streams: Vec<_> = ["linger", "drift", "later x"]
            .iter()
            .flat_map(|line| [line; 10])
            .map(|line| {
                let mut stream = daemon.connect();
                stream.write_all(format!("{line}\n").as_bytes()).expect("a daemon that reads");
                stream
            })
            .collect();
        daemon.signal(Signal::TERM);
        until("a released path", || !place.socket().exists());
        // The second signal does not wait.
        daemon.signal(Signal::TERM);
        for mut stream in streams {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("an answer");
            let is_told = ["-SHUTDOWN ", "x", ""].iter().any(|part| answer.starts_with(part));
            assert!(is_told, "{answer}");
        }
        daemon.wait();
    }
}
