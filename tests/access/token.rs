//! The token.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use dockipc::{Client, Error, Server, State};
use tests::dice::Dice;
use tests::process::{descriptors, threads, until};
use tests::{Daemon, Place, exchange, expect, figure, is_long, long, resp};

pub(super) const TOKEN: &str = "0123456789abcdef-the-token";

static OPENED: AtomicU64 = AtomicU64::new(0);

/// A token file in a directory of its own.
pub(super) struct File {
    place: Place,
}

impl File {
    pub(super) fn new(content: impl AsRef<[u8]>) -> Self {
        let file = Self { place: Place::new() };
        fs::write(file.path(), content).expect("a file");
        file.mode(0o600);
        file
    }

    pub(super) fn path(&self) -> PathBuf {
        self.place.directory().join("token")
    }

    fn mode(&self, mode: u32) {
        fs::set_permissions(self.path(), fs::Permissions::from_mode(mode)).expect("its mode");
    }
}

/// Makes a server with two commands: `vault` requires the token, `hall` is open.
pub(super) fn server() -> Server {
    Server::new()
        .handle("vault", |_: &dockipc::Request<'_>| OPENED.fetch_add(1, Relaxed))
        .handle("hall", |_: &dockipc::Request<'_>| "hello")
        .allow("vault", "token")
}

pub(super) fn start() -> Daemon {
    start_with(TOKEN)
}

fn start_with(token: &str) -> Daemon {
    start_paused(token, Duration::from_secs(2))
}

/// Starts a daemon with this longest pause after wrong tokens.
fn start_paused(token: &str, longest: impl Into<Option<Duration>>) -> Daemon {
    let file = File::new(format!("{token}\n"));
    Daemon::start(server().token_file(file.path()).auth_pause(longest))
}

/// Sends a RESP command over an open connection, and returns the line that comes back.
fn ask(stream: &mut UnixStream, words: &[&str]) -> String {
    stream.write_all(&resp(words)).expect("a command that is taken");
    line(stream)
}

fn line(stream: &mut UnixStream) -> String {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while stream.read(&mut byte).expect("an answer") == 1 && byte != *b"\n" {
        line.push(byte[0]);
    }
    String::from_utf8(line).expect("text").trim_end().to_owned()
}

pub(super) fn refusal(error: &Error) -> &str {
    error.failure().map_or("", |failure| failure.code())
}

const WRONG: &str = "-WRONGPASS wrong token (";

#[test]
fn right_token_satisfies_its_rule() {
    let daemon = start();
    let gives: [&[&str]; 4] = [
        &["AUTH", TOKEN],
        &["auth", "default", TOKEN],
        &["AUTH", "any-name-at-all", TOKEN],
        &["HELLO", "2", "AUTH", "default", TOKEN, "SETNAME", "me"],
    ];
    for words in gives {
        let mut stream = daemon.connect();
        let denied = ask(&mut stream, &["vault"]);
        let why = "-NOPERM permission denied: \"vault\" requires token (you are uid";
        assert!(
            denied.starts_with(why) && denied.ends_with("send the token with AUTH"),
            "{denied}"
        );
        if words.len() < 4 {
            assert_eq!(ask(&mut stream, words), "+OK", "{words:?}");
        } else {
            let text = exchange(daemon.connect(), &[resp(words), resp(&["vault"])].concat());
            assert!(text.starts_with(b"*16\r\n$6\r\nserver"), "{}", text.escape_ascii());
            assert!(!text.escape_ascii().to_string().contains("NOPERM"));
            continue;
        }
        assert!(ask(&mut stream, &["vault"]).starts_with(':'));
        assert_eq!(ask(&mut stream, &["RESET"]), "+RESET");
        assert!(ask(&mut stream, &["vault"]).starts_with("-NOPERM"), "reset takes it back");
        assert_eq!(ask(&mut stream, &["AUTH", TOKEN]), "+OK");
        assert!(ask(&mut stream, &["vault"]).starts_with(':'));
    }
}

#[test]
fn token_counts_for_one_connection() {
    let daemon = start();
    let (mut one, mut other) = (daemon.connect(), daemon.connect());
    assert_eq!(ask(&mut one, &["AUTH", TOKEN]), "+OK");
    assert!(ask(&mut other, &["vault"]).starts_with("-NOPERM"));
    assert!(ask(&mut one, &["vault"]).starts_with(':'));
}

#[test]
fn wrong_tokens_are_refused() {
    let daemon = start_paused(TOKEN, None);
    let long = format!("{TOKEN}x");
    let (padded, huge) = (format!("{TOKEN}\0"), TOKEN.repeat(1000));
    let cut = &TOKEN[..TOKEN.len() - 1];
    let upper = TOKEN.to_uppercase();
    let line_end = format!("{TOKEN}\n");
    for wrong in ["", "x", cut, &long, &padded, &huge, &upper, &line_end, &TOKEN[1..]] {
        let mut stream = daemon.connect();
        let answer = |used| format!("{WRONG}{used} of 3 attempts used)");
        assert_eq!(ask(&mut stream, &["AUTH", wrong]), answer(1), "{wrong:?}");
        assert_eq!(ask(&mut stream, &["HELLO", "3", "AUTH", "default", wrong]), answer(2));
        // As in Redis, the protocol is what it was.
        assert!(ask(&mut stream, &["vault"]).starts_with("-NOPERM"), "{wrong:?}");
        assert_eq!(ask(&mut stream, &["AUTH", TOKEN]), "+OK", "the third try");
        assert!(ask(&mut stream, &["vault"]).starts_with(':'));
    }
    let usage = "-USAGE usage: auth [<user>] <token>";
    let mut stream = daemon.connect();
    assert_eq!(ask(&mut stream, &["AUTH"]), usage);
    assert_eq!(ask(&mut stream, &["AUTH", "default", TOKEN, "more"]), usage);
    assert!(ask(&mut stream, &["HELLO", "3", "AUTH", TOKEN]).starts_with("-USAGE usage: hello"));
    assert!(ask(&mut stream, &["vault"]).starts_with("-NOPERM"));
}

#[test]
fn truncated_auth_grants_nothing() {
    let daemon = start();
    let whole = resp(&["AUTH", TOKEN]);
    for length in 0..whole.len() {
        let answer = exchange(daemon.connect(), &whole[..length]).escape_ascii().to_string();
        assert!(!answer.contains("OK"), "{length}: {answer}");
    }
}

#[test]
fn third_wrong_token_ends_the_connection() {
    let daemon = start();
    let wrong = resp(&["AUTH", "wrong"]);
    let commands = [&wrong[..], &wrong, &wrong, &resp(&["AUTH", TOKEN]), &resp(&["vault"])];
    let answer = exchange(daemon.connect(), &commands.concat()).escape_ascii().to_string();
    let last = "(3 of 3 attempts used)";
    let expected = [1, 2, 3].map(|used| format!("{WRONG}{used} of 3 attempts used)\\r\\n"));
    assert_eq!(answer, expected.concat());
    // Also if the tries come by way of HELLO, or have others between them.
    let hello = resp(&["HELLO", "3", "AUTH", "default", "wrong"]);
    let hall = resp(&["hall"]);
    let commands = [&hello[..], &hall, &hello, &hall, &wrong, &hall];
    let answer = exchange(daemon.connect(), &commands.concat()).escape_ascii().to_string();
    assert!(answer.ends_with(&format!("{last}\\r\\n")), "{answer}");
    assert_eq!(answer.matches("WRONGPASS").count(), 3, "{answer}");
}

#[test]
fn late_token_gets_timeout() {
    let file = File::new(TOKEN);
    let limit = Duration::from_millis(20);
    let daemon = Daemon::start(server().token_file(file.path()).auth_timeout(limit));
    let mut stream = daemon.connect();
    // The answer shows that the daemon has accepted the connection.
    assert_eq!(ask(&mut stream, &["hall"]), "$5");
    assert_eq!(line(&mut stream), "hello");
    let since = Instant::now();
    until("the limit", || since.elapsed() > limit);
    let late = "-TIMEOUT the token must be sent within 20ms of connecting; reconnect";
    assert_eq!(ask(&mut stream, &["AUTH", TOKEN]), late);
    assert_eq!(ask(&mut stream, &["HELLO", "3", "AUTH", "default", TOKEN]), late);
    assert!(ask(&mut stream, &["vault"]).starts_with("-NOPERM"));
}

#[test]
fn line_mode_accepts_no_token() {
    let daemon = start();
    let why =
        "-USAGE a token can\\'t be used in line mode (one command per connection); use RESP\\n";
    assert_eq!(daemon.ask(format!("auth {TOKEN}\n")), why);
    let denied = daemon.ask("vault\n");
    assert!(denied.ends_with("line mode has no token: use a Redis client\\n"), "{denied}");
}

#[test]
fn hello_line_takes_the_token() {
    let daemon = start();
    let hello = |token: &str| format!("HELLO 2 AUTH default {token}\r\n").into_bytes();
    let vault = resp(&["vault"]);
    let right = daemon.ask([&hello(TOKEN)[..], &vault].concat());
    assert!(right.starts_with("*16") && !right.contains("NOPERM"), "{right}");
    let wrong = daemon.ask([hello("wrong").repeat(4), vault].concat());
    let answer = |n: u8| format!(r"-WRONGPASS wrong token ({n} of 3 attempts used)\r\n");
    assert_eq!(wrong, [1, 2, 3].map(answer).concat());
}

#[test]
fn auth_fails_on_a_server_without_a_token() {
    let daemon = Daemon::start(Server::new());
    let none = "-ERR this daemon has no password; connect without one";
    let mut stream = daemon.connect();
    for _ in 0..4 {
        assert_eq!(ask(&mut stream, &["AUTH", TOKEN]), none);
        assert_eq!(ask(&mut stream, &["HELLO", "3", "AUTH", "default", TOKEN]), none);
    }
}

#[test]
fn token_file_open_to_others_is_refused() {
    let refused = |path: &Path, reason: &str| {
        let error = server().token_file(path).spawn_in_process().expect_err("no start").to_string();
        let expected = format!("cannot use token file {}: {reason}", path.display());
        assert_eq!(error, expected);
        // A client refuses the file too.
        let daemon = Daemon::start(Server::new());
        let called = Client::new(daemon.path()).token_file(path).send("ping");
        assert_eq!(called.expect_err("no call").to_string(), expected);
    };
    let file = File::new(TOKEN);
    let (path, me) = (file.path(), rustix::process::geteuid().as_raw());
    for mode in [0o644, 0o640, 0o604, 0o660, 0o622, 0o601] {
        file.mode(mode);
        let seen = format!("it is owned by uid {me} and has mode {mode:04o}; only its owner may");
        refused(&path, &format!("{seen} have permissions: chmod 600 {}", path.display()));
    }
    for mode in [0o600, 0o400] {
        file.mode(mode);
        drop(server().token_file(&path).spawn_in_process().expect("a start"));
    }
    file.mode(0o600);
    let link = file.place.directory().join("link");
    symlink(&path, &link).expect("a link");
    refused(&link, "it is a symbolic link, or behind too many; name the file itself");
    refused(file.place.directory(), "it is not a regular file");
    refused(&file.place.directory().join("missing"), "it does not exist");
    let pipe = file.place.directory().join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .expect("a pipe");
    refused(&pipe, "it is not a regular file");
    let socket = Daemon::start(Server::new());
    refused(&socket.path(), "it is not a regular file");
    refused(Path::new("/dev/null"), "it is not a regular file");
    let short = "its first line, the token, has fewer than 16 bytes";
    for content in ["", "\n", "0123456789abcde", "0123456789abcde\r\n", "\n0123456789abcdef\n"] {
        refused(&File::new(content).path(), short);
    }
    refused(
        &File::new("x".repeat(1025)).path(),
        "its first line, the token, has more than 1024 bytes",
    );
}

#[test]
fn token_file_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        let what = "skipped: only root can give a file to another user";
        println!("{what}");
        assert!(std::env::var_os("DOCKIPC_REQUIRE_PEERS").is_none(), "{what}");
        return;
    }
    let file = File::new(TOKEN);
    let path = file.path();
    std::os::unix::fs::chown(&path, Some(65534), Some(65534)).expect("another owner");
    let error = server().token_file(&path).spawn_in_process().expect_err("no start").to_string();
    let why = "it is owned by uid 65534 and has mode 0600; it must be owned by uid 0: chown 0";
    assert!(error.contains(why), "{error}");
}

#[test]
fn token_is_the_first_line_of_its_file() {
    for content in ["0123456789abcdef", "0123456789abcdef\r\n", "0123456789abcdef\nmore\n"] {
        let file = File::new(content);
        let daemon = server().token_file(file.path()).spawn_in_process().expect("a start");
        let client = daemon.client().token("0123456789abcdef");
        assert!(client.command("vault").call::<u64>().is_ok(), "{content:?}");
    }
    let longest = "x".repeat(1024);
    let daemon = start_with(&longest);
    let client = Client::new(daemon.path());
    assert!(client.clone().token(&longest).send("vault").is_ok());
    let error = client.token(format!("{longest}x")).send("vault").expect_err("too long");
    assert_eq!(refusal(&error), "WRONGPASS");
}

#[test]
fn token_rule_and_token_file_need_each_other() {
    let error = server().spawn_in_process().expect_err("no token").to_string();
    let why = "the server has no token: set one with .token_file(…)";
    assert_eq!(error, format!("invalid rule \"token\" for vault: {why}"));
    let file = File::new(TOKEN);
    let error = Server::new().token_file(file.path()).spawn_in_process().expect_err("no rule");
    assert!(error.to_string().ends_with("no command has a rule with `token`"), "{error}");
    // The fallback can have this rule too.
    let fallback = Server::new().fallback(|_: &dockipc::Request<'_>| "found").allow("*", "token");
    let daemon = fallback.token_file(file.path()).spawn_in_process().expect("a start");
    let error = daemon.client().command("what").call::<String>().expect_err("no token given");
    assert_eq!(refusal(&error), "NOPERM");
    let client = daemon.client().token(TOKEN);
    assert_eq!(client.command("what").call::<String>().unwrap(), "found");
}

#[test]
fn guesses_are_refused_and_delay_no_other_client() {
    let before = (threads(), descriptors());
    let count = long(2_000, 100_000);
    let daemon = start();
    let done = AtomicBool::new(false);
    let (mut took, refused) = std::thread::scope(|scope| {
        let others = scope.spawn(|| {
            let client = Client::new(daemon.path());
            let mut took = Vec::new();
            while !done.load(Relaxed) {
                let since = Instant::now();
                assert_eq!(client.send("hall").expect("an answer"), b"hello");
                took.push(since.elapsed());
            }
            took
        });
        let refused = guess(&daemon, count);
        done.store(true, Relaxed);
        (others.join().expect("the others' answers"), refused)
    });
    assert_eq!(refused, count);
    // The guesses came from this user, so the right token works after the pause.
    let client = Client::new(daemon.path()).token(TOKEN);
    until("the end of the pause", || client.send("vault").is_ok());
    took.sort();
    let p99 = took[took.len() * 99 / 100];
    let beside = took.len();
    figure("guesses of the token", format!("{refused} of {count} refused"));
    figure("calls beside the guesses", format!("{beside} of {beside} answered, p99 {p99:.1?}"));
    drop(daemon);
    // Other tests run daemons in this process.
    if is_long() {
        // Needs --test-threads=1.
        until("the end of threads and descriptors", || (threads(), descriptors()) == before);
    }
}

const PAUSED: &str = "-BUSY too many wrong tokens from uid ";

#[test]
fn guesses_over_new_connections_are_paused() {
    let records = State::new(Mutex::new(Vec::new()));
    let (file, told) = (File::new(TOKEN), records.clone());
    // Each pause is twice as long as the last, and so soon longer than this test.
    let server = server().token_file(file.path()).auth_pause(Duration::from_secs(3600));
    let daemon = Daemon::start(server.audit(move |record| {
        assert!(!format!("{record:?}").contains("guess"), "{record:?}");
        told.lock().unwrap().push((record.command().to_owned(), record.rule().to_owned()));
        Ok(())
    }));
    let guess = |words: &[&str]| ask(&mut daemon.connect(), words);
    let mut wrong = 0;
    let answer = loop {
        let answer = guess(&["AUTH", "a guess"]);
        if !answer.starts_with(WRONG) {
            break answer;
        }
        wrong += 1;
        assert!(wrong < 40, "no pause");
    };
    assert!(answer.starts_with(PAUSED) && answer.contains("; try again in "), "{answer}");
    assert!(wrong >= 11, "{wrong} and then {answer}");
    // During a pause only the first attempt is recorded.
    let mut paused = 1;
    while paused < 1_000 || wrong < 14 {
        match guess(&["HELLO", "3", "AUTH", "a guess", "a guess"]) {
            answer if answer.starts_with(PAUSED) => paused += 1,
            answer if answer.starts_with(WRONG) => wrong += 1,
            answer => panic!("{answer}"),
        }
    }
    let records = records.lock().unwrap();
    let of = |rule: &str| records.iter().filter(|record| record.1.starts_with(rule)).count();
    assert!(records.iter().all(|(command, _)| command == "auth"), "{records:?}");
    assert_eq!(of("wrong token"), wrong);
    let pauses = of("too many wrong tokens: paused for ");
    // One record for each pause; pauses begin with the eleventh wrong token.
    assert!((1..=wrong - 10).contains(&pauses), "{pauses} for {wrong}");
    assert_eq!(of(""), wrong + pauses);
}

/// Sends this number of guesses over new connections, three each. Returns the number of refusals.
fn guess(daemon: &Daemon, count: usize) -> usize {
    let mut dice = Dice::new(5);
    let (mut refused, mut left) = (0, count);
    while left > 0 {
        let mut stream = daemon.connect();
        for _ in 0..left.min(3) {
            let mut guess = TOKEN.as_bytes().to_vec();
            let at = dice.below(guess.len());
            // A different byte.
            guess[at] ^= 1 + u8::try_from(dice.below(255)).expect("a byte");
            guess.truncate(at + 1 + dice.below(TOKEN.len() - at));
            let guess = resp(&[&b"AUTH"[..], &guess]);
            stream.write_all(&guess).expect("a guess that is taken");
            let answer = line(&mut stream);
            refused += usize::from(answer.starts_with(WRONG) || answer.starts_with(PAUSED));
            left -= 1;
        }
    }
    refused
}

/// Sends wrong tokens of one length that differ in the number of right leading bytes, in random order. A
/// least-squares fit shows whether the time of the answer grows with that number.
#[test]
fn refusal_time_reveals_nothing_about_the_token() {
    const LENGTH: usize = 1024;
    let token = "k".repeat(LENGTH);
    let daemon = start_paused(&token, None);
    // Made in advance, so that every attempt follows the same work.
    let guess = |right| resp(&["AUTH", &format!("{:x<LENGTH$}", "k".repeat(right))]);
    let right = (0..16).map(|i| i * LENGTH / 16);
    let guesses: Vec<(usize, Vec<u8>)> = right.map(|right| (right, guess(right))).collect();
    let mut dice = Dice::new(7);
    let mut samples = Vec::new();
    for _ in 0..long(100, 4_000) {
        let mut order: Vec<&(usize, Vec<u8>)> = guesses.iter().collect();
        for i in (1..order.len()).rev() {
            order.swap(i, dice.below(i + 1));
        }
        for (right, guess) in order {
            let mut stream = daemon.connect();
            // Keeps the connection's setup out of the measurement.
            stream.write_all(&resp(&["PING"])).expect("a command that is taken");
            expect(&mut stream, b"+PONG\r\n");
            let since = Instant::now();
            stream.write_all(guess).expect("a guess that is taken");
            let mut answer = [0; 64];
            let read = stream.read(&mut answer).expect("an answer");
            let took = since.elapsed();
            assert!(answer[..read].starts_with(WRONG.as_bytes()));
            samples.push((*right, took));
        }
    }
    let (slope, error, median) = slope(samples);
    figure(
        "time to refuse a token, by how many of its first bytes are right",
        format!("slope {slope:.3} ns a byte, standard error {error:.3}; median {median:.1?}"),
    );
    if is_long() {
        // Without optimization, a loop that stops at the first difference took 7.6 ns a byte.
        assert!(slope.abs() < 2.0_f64.max(5.0 * error), "{slope} ± {error}");
    }
}

/// Returns the slope in nanoseconds a byte, its standard error, and the median of all times. Drops the
/// slowest tenth, in which other processes had the CPU.
fn slope(mut samples: Vec<(usize, Duration)>) -> (f64, f64, Duration) {
    samples.sort_by_key(|(_, took)| *took);
    let median = samples[samples.len() / 2].1;
    samples.truncate(samples.len() * 9 / 10);
    let number = |n: usize| f64::from(u32::try_from(n).expect("a small number"));
    let points = samples.iter().map(|(right, took)| (number(*right), took.as_secs_f64() * 1e9));
    let points: Vec<(f64, f64)> = points.collect();
    let count = number(points.len());
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let spread: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    let slope = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>() / spread;
    let rest: f64 = points.iter().map(|p| (p.1 - y - slope * (p.0 - x)).powi(2)).sum();
    (slope, (rest / (count - 2.0) / spread).sqrt(), median)
}
