//! A command that does not arrive whole is not run, wherever it is cut off.

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use dockipc::{Request, Server, State, command};
use tests::process::{alone, descriptors, until};
use tests::{Daemon, figure, resp, rest};

/// Count a run, whatever the arguments.
#[command("hit")]
fn hit(request: &Request<'_>, words: Vec<Vec<u8>>) -> usize {
    request.state::<AtomicUsize>().unwrap().fetch_add(1, SeqCst);
    words.len()
}

/// Count a run, with text up to the end of the line.
#[command("hit-text")]
fn hit_text(request: &Request<'_>, #[arg(rest)] text: Option<String>) -> usize {
    request.state::<AtomicUsize>().unwrap().fetch_add(1, SeqCst);
    text.map_or(0, |text| text.len())
}

/// Encoded commands and their answers.
struct Script {
    bytes: Vec<u8>,
    /// End offset and answer of each command.
    commands: Vec<(usize, Vec<u8>)>,
}

impl Script {
    fn line(bytes: &str, answer: &str) -> Self {
        let commands = vec![(bytes.len(), answer.into())];
        Self { bytes: bytes.into(), commands }
    }

    fn resp(commands: &[&[&[u8]]]) -> Self {
        let mut script = Self { bytes: Vec::new(), commands: Vec::new() };
        for command in commands {
            script.bytes.extend(resp(command));
            let answer = format!(":{}\r\n", command.len() - 1);
            script.commands.push((script.bytes.len(), answer.into()));
        }
        script
    }

    /// Returns the answers of the commands that are whole in the first `sent` bytes.
    fn whole(&self, sent: usize) -> impl Iterator<Item = &[u8]> {
        let whole = self.commands.iter().filter(move |(end, _)| *end <= sent);
        whole.map(|(_, answer)| answer.as_slice())
    }

    /// Returns whether this offset is inside a command.
    fn is_cut(&self, at: usize) -> bool {
        at > 0 && !self.commands.iter().any(|(end, _)| *end == at)
    }
}

fn scripts() -> Vec<Script> {
    let binary: Vec<u8> = (0..=255).collect();
    let many: Vec<&[u8]> = vec![b"hit", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9", b"0"];
    vec![
        Script::line("hit\n", "0"),
        Script::line("hit\r\n", "0"),
        Script::line("hit 'two words' \"and \\\"these\\\"\" back\\ slash \u{e4}\u{20ac}\n", "4"),
        Script::line("hit-text as it is, with 'quotes\n", "22"),
        Script::line(&format!("hit {}\n", "x ".repeat(60)), "60"),
        Script::resp(&[&[b"hit"]]),
        Script::resp(&[&[b"hit", b"", b"\r\n", b"*1\r\n$3\r\nhit\r\n", &binary]]),
        Script::resp(&[&many]),
        Script::resp(&[&[b"hit"], &[b"hit", b"1\n2"], &[b"HIT", &binary, b""], &[b"hit", b"x"]]),
    ]
}

#[test]
fn command_cut_at_any_byte_is_not_run() {
    let _alone = alone();
    let hits = State::new(AtomicUsize::new(0));
    let daemon = Daemon::start(Server::new().share(hits.clone()));
    let before = descriptors();
    let (mut cuts, mut closed) = (0, 0);
    for (number, script) in scripts().iter().enumerate() {
        for at in 0..=script.bytes.len() {
            let what = || format!("script {number}, the first {at} bytes");
            let sent = &script.bytes[..at];
            cuts += usize::from(script.is_cut(at));

            // Shutting down the sending side: all answers arrive, then the error.
            let ran = hits.load(SeqCst);
            let mut stream = daemon.connect();
            stream.write_all(sent).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut got = rest(stream);
            let answers = script.whole(at).collect::<Vec<_>>();
            let last = got.split_off(got.len().min(answers.concat().len()));
            assert_eq!(got, answers.concat(), "{}", what());
            let last = String::from_utf8_lossy(&last);
            assert_eq!(last.starts_with("-INCOMPLETE "), script.is_cut(at), "{}: {last}", what());
            assert_eq!(last.is_empty(), !script.is_cut(at), "{}: {last}", what());
            assert_eq!(hits.load(SeqCst) - ran, answers.len(), "{}", what());

            // Closing: after the bytes have arrived, and while sending.
            for _ in 0..2 {
                let ran = hits.load(SeqCst);
                leave(&daemon, sent);
                // Accepted after that connection.
                assert_eq!(daemon.ask("ping\n"), "PONG");
                until("the connection's end", || descriptors() == before);
                let ran = hits.load(SeqCst) - ran;
                assert!(ran <= answers.len(), "{}: {ran} ran", what());
                closed += usize::from(script.is_cut(at));
            }
        }
    }
    figure(
        "cut at every byte",
        format!("{cuts} cuts by shutdown, {closed} by close, 0 cut commands run"),
    );
}

/// Sends the bytes in two pieces, and closes.
fn leave(daemon: &Daemon, bytes: &[u8]) {
    let mut stream: UnixStream = daemon.connect();
    let (first, second) = bytes.split_at(bytes.len() / 2);
    stream.write_all(first).unwrap();
    stream.write_all(second).unwrap();
}
