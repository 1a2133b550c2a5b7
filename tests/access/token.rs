//! A token: who gives it may run what its rule says, and nobody else.

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
use tests::{Daemon, Place, exchange, expect, figure, is_long, long, resp, test_name};

const TOKEN: &str = "0123456789abcdef-the-token";

static OPENED: AtomicU64 = AtomicU64::new(0);

/// A file with a token, or with something else.
struct File {
    place: Place,
}

impl File {
    fn new(content: impl AsRef<[u8]>) -> Self {
        let file = Self { place: Place::new() };
        fs::write(file.path(), content).expect("a file");
        file.mode(0o600);
        file
    }

    fn path(&self) -> PathBuf {
        self.place.directory().join("token")
    }

    fn mode(&self, mode: u32) {
        fs::set_permissions(self.path(), fs::Permissions::from_mode(mode)).expect("its mode");
    }
}

/// `vault` is for who has the token, `hall` for everybody.
fn server() -> Server {
    Server::new()
        .handle("vault", |_: &dockipc::Request<'_>| OPENED.fetch_add(1, Relaxed))
        .handle("hall", |_: &dockipc::Request<'_>| "hello")
        .allow("vault", "token")
}

fn start() -> Daemon {
    start_with(TOKEN)
}

fn start_with(token: &str) -> Daemon {
    start_paused(token, Duration::from_secs(2))
}

/// With this as the longest pause after wrong tokens.
fn start_paused(token: &str, longest: impl Into<Option<Duration>>) -> Daemon {
    let file = File::new(format!("{token}\n"));
    Daemon::start(server().token_file(file.path()).auth_pause(longest))
}

/// One RESP command on an open connection, and the line that comes back.
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

fn refusal(error: &Error) -> &str {
    error.failure().map_or("", |failure| failure.code())
}

const WRONG: &str = "-WRONGPASS this is not the token";

#[test]
fn who_gives_the_token_may_run_what_its_rule_says() {
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
        let why = "-NOPERM \"vault\" is for token; you are uid";
        assert!(denied.starts_with(why) && denied.ends_with("given with AUTH"), "{denied}");
        if words.len() < 4 {
            assert_eq!(ask(&mut stream, words), "+OK", "{words:?}");
        } else {
            let text = exchange(daemon.connect(), &[resp(words), resp(&["vault"])].concat());
            assert!(text.starts_with(b"*14\r\n$6\r\nserver"), "{}", text.escape_ascii());
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
fn it_is_one_connections_alone() {
    let daemon = start();
    let (mut one, mut other) = (daemon.connect(), daemon.connect());
    assert_eq!(ask(&mut one, &["AUTH", TOKEN]), "+OK");
    assert!(ask(&mut other, &["vault"]).starts_with("-NOPERM"));
    assert!(ask(&mut one, &["vault"]).starts_with(':'));
}

#[test]
fn what_is_not_the_token_is_refused() {
    let daemon = start_paused(TOKEN, None);
    let long = format!("{TOKEN}x");
    let (padded, huge) = (format!("{TOKEN}\0"), TOKEN.repeat(1000));
    let cut = &TOKEN[..TOKEN.len() - 1];
    let upper = TOKEN.to_uppercase();
    let line_end = format!("{TOKEN}\n");
    for wrong in ["", "x", cut, &long, &padded, &huge, &upper, &line_end, &TOKEN[1..]] {
        let mut stream = daemon.connect();
        assert_eq!(ask(&mut stream, &["AUTH", wrong]), WRONG, "{wrong:?}");
        assert_eq!(ask(&mut stream, &["HELLO", "3", "AUTH", "default", wrong]), WRONG);
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
fn a_command_that_is_cut_gives_no_token() {
    let daemon = start();
    let whole = resp(&["AUTH", TOKEN]);
    for length in 0..whole.len() {
        let answer = exchange(daemon.connect(), &whole[..length]).escape_ascii().to_string();
        assert!(!answer.contains("OK"), "{length}: {answer}");
    }
}

#[test]
fn the_third_wrong_token_ends_the_connection() {
    let daemon = start();
    let wrong = resp(&["AUTH", "wrong"]);
    let commands = [&wrong[..], &wrong, &wrong, &resp(&["AUTH", TOKEN]), &resp(&["vault"])];
    let answer = exchange(daemon.connect(), &commands.concat()).escape_ascii().to_string();
    let last = "nor were those before: 3 tries at most";
    let expected = format!("{WRONG}\\r\\n{WRONG}\\r\\n{WRONG}, {last}\\r\\n");
    assert_eq!(answer, expected);
    // Also if the tries come by way of HELLO, or have others between them.
    let hello = resp(&["HELLO", "3", "AUTH", "default", "wrong"]);
    let hall = resp(&["hall"]);
    let commands = [&hello[..], &hall, &hello, &hall, &wrong, &hall];
    let answer = exchange(daemon.connect(), &commands.concat()).escape_ascii().to_string();
    assert!(answer.ends_with(&format!("{last}\\r\\n")), "{answer}");
    assert_eq!(answer.matches("WRONGPASS").count(), 3, "{answer}");
}

#[test]
fn the_token_must_come_soon() {
    let file = File::new(TOKEN);
    let limit = Duration::from_millis(20);
    let daemon = Daemon::start(server().token_file(file.path()).auth_timeout(limit));
    let mut stream = daemon.connect();
    // Only then is the connection known to be taken in.
    assert_eq!(ask(&mut stream, &["hall"]), "$5");
    assert_eq!(line(&mut stream), "hello");
    let since = Instant::now();
    until("the limit", || since.elapsed() > limit);
    let late = "-TIMEOUT the token must come within 20ms of connecting; connect anew";
    assert_eq!(ask(&mut stream, &["AUTH", TOKEN]), late);
    assert_eq!(ask(&mut stream, &["HELLO", "3", "AUTH", "default", TOKEN]), late);
    assert!(ask(&mut stream, &["vault"]).starts_with("-NOPERM"));
}

#[test]
fn a_line_has_no_room_for_a_token() {
    let daemon = start();
    let why = "-USAGE a line is the only one of its connection; to give a token, speak RESP\\n";
    for line in [format!("auth {TOKEN}\n"), format!("hello 3 auth default {TOKEN}\n")] {
        assert_eq!(daemon.ask(&line), why);
    }
    let denied = daemon.ask("vault\n");
    assert!(denied.ends_with("given over a line, but by a Redis client\\n"), "{denied}");
}

#[test]
fn without_a_token_there_is_nothing_to_give() {
    let daemon = Daemon::start(Server::new());
    let none = "-ERR this daemon has no password; connect without one";
    let mut stream = daemon.connect();
    for _ in 0..4 {
        assert_eq!(ask(&mut stream, &["AUTH", TOKEN]), none);
        assert_eq!(ask(&mut stream, &["HELLO", "3", "AUTH", "default", TOKEN]), none);
    }
}

#[test]
fn a_file_that_others_could_have_read_or_written_is_refused() {
    let refused = |path: &Path, reason: &str| {
        let error = server().token_file(path).spawn_in_process().expect_err("no start").to_string();
        let expected = format!("cannot use token file {}: {reason}", path.display());
        assert_eq!(error, expected);
        // A client does not use it either.
        let daemon = Daemon::start(Server::new());
        let called = Client::new(daemon.path()).token_file(path).send("ping");
        assert_eq!(called.expect_err("no call").to_string(), expected);
    };
    let file = File::new(TOKEN);
    let (path, me) = (file.path(), rustix::process::geteuid().as_raw());
    for mode in [0o644, 0o640, 0o604, 0o660, 0o622, 0o601] {
        file.mode(mode);
        let seen = format!("it is owned by uid {me} and has mode {mode:04o}, and others may not");
        refused(&path, &format!("{seen} use it: chmod 600 {}", path.display()));
    }
    for mode in [0o600, 0o400] {
        file.mode(mode);
        drop(server().token_file(&path).spawn_in_process().expect("a start"));
    }
    file.mode(0o600);
    let link = file.place.directory().join("link");
    symlink(&path, &link).expect("a link");
    refused(&link, "it is a symbolic link, or behind too many; give the file");
    refused(file.place.directory(), "it is not a file");
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
    refused(&pipe, "it is not a file");
    let socket = Daemon::start(Server::new());
    refused(&socket.path(), "it is not a file");
    refused(Path::new("/dev/null"), "it is not a file");
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
fn a_file_of_another_user_is_refused() {
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
    let why = "it is owned by uid 65534 and has mode 0600, and must be owned by uid 0: chown 0";
    assert!(error.contains(why), "{error}");
}

#[test]
fn the_token_is_the_first_line_without_its_end() {
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
fn a_rule_and_its_token_come_together() {
    let error = server().spawn_in_process().expect_err("no token").to_string();
    let why = "there is no token: give the server one with .token_file(…)";
    assert_eq!(error, format!("invalid rule \"token\" for vault: {why}"));
    let file = File::new(TOKEN);
    let error = Server::new().token_file(file.path()).spawn_in_process().expect_err("no rule");
    assert!(error.to_string().ends_with("no command has a rule with `token`"), "{error}");
    // The fallback can have the rule as well.
    let fallback = Server::new().fallback(|_: &dockipc::Request<'_>| "found").allow("*", "token");
    let daemon = fallback.token_file(file.path()).spawn_in_process().expect("a start");
    let error = daemon.client().command("what").call::<String>().expect_err("no token given");
    assert_eq!(refusal(&error), "NOPERM");
    let client = daemon.client().token(TOKEN);
    assert_eq!(client.command("what").call::<String>().unwrap(), "found");
}

#[test]
fn our_client_gives_it_on_each_connection() {
    let daemon = start();
    let file = File::new(format!("{TOKEN}\n"));
    let plain = Client::new(daemon.path());
    let refused = plain.send("vault").expect_err("no token");
    assert_eq!(refusal(&refused), "NOPERM");
    for client in [plain.clone().token(TOKEN), plain.clone().token_file(file.path())] {
        for _ in 0..3 {
            assert!(client.command("vault").call::<u64>().is_ok());
            assert!(client.send("vault").is_ok());
        }
        let mut pipeline = client.pipeline();
        pipeline.command("vault", [""; 0]).command("hall", [""; 0]);
        assert!(pipeline.call().unwrap().into_iter().all(|reply| reply.parse::<String>().is_ok()));
        assert!(plain.send("vault").is_err(), "another client's connection");
        let max_idle = client.max_idle(0);
        assert!(max_idle.send("vault").is_ok() && max_idle.send("vault").is_ok());
    }
    // A token that a caller gives by hand is not left on a kept connection.
    assert!(plain.command("auth").arg(TOKEN).call::<()>().is_ok());
    assert!(plain.send(&format!("auth {TOKEN}")).is_ok());
    assert!(plain.send("vault").is_err());
}

#[test]
fn our_client_runs_nothing_with_a_wrong_token() {
    let file = File::new(TOKEN);
    let hits = State::new(AtomicU64::new(0));
    let counted = hits.clone();
    let server = server().handle("hit", move |_: &dockipc::Request<'_>| {
        counted.fetch_add(1, Relaxed);
    });
    let daemon = Daemon::start(server.token_file(file.path()));
    let client = Client::new(daemon.path()).token("not the token at all");
    for _ in 0..5 {
        let error = client.send("hit").expect_err("a wrong token");
        assert_eq!(error.to_string(), "WRONGPASS this is not the token");
    }
    assert_eq!(hits.load(Relaxed), 0, "a command that needs no token");
    let printed = format!("{client:?} {:?} {:?}", client.command("vault"), client.pipeline());
    assert!(!printed.contains("not the token"), "{printed}");
    // A daemon that wants none says so.
    let open = Daemon::start(Server::new());
    let error = Client::new(open.path()).token(TOKEN).send("ping").expect_err("no password");
    assert_eq!(error.to_string(), "ERR this daemon has no password; connect without one");
}

#[test]
fn our_client_takes_it_from_the_environment() {
    const ROLE: &str = "DOCKIPC_TEST_TOKEN_SOCKET";
    if let Some(socket) = std::env::var_os(ROLE) {
        let client = Client::new(socket);
        let plain = client.send("vault").is_ok();
        println!("answered: {plain} {}", client.token_from_env().send("vault").is_ok());
        return;
    }
    let (daemon, file) = (start(), File::new(TOKEN));
    let path = file.path();
    let path = path.to_str().expect("a path in ASCII");
    let wrong = "not the token at all";
    let cases = [
        ("", "", "false"),
        (path, "", "true"),
        ("", TOKEN, "true"),
        (path, wrong, "true"),
        ("/no/such/file", TOKEN, "false"),
    ];
    for (file, token, expected) in cases {
        let mut program = std::process::Command::new(std::env::current_exe().expect("this test"));
        let this = test_name("our_client_takes_it_from_the_environment");
        program.args(["--exact", &this, "--nocapture"]);
        program.env(ROLE, daemon.path());
        program.env("DOCKIPC_TOKEN_FILE", file).env("DOCKIPC_TOKEN", token);
        let output = program.output().expect("its output");
        let text = String::from_utf8_lossy(&output.stdout);
        // Not without being told to look there.
        assert!(text.contains(&format!("answered: false {expected}")), "{file} {token}: {text}");
    }
}

#[test]
fn client_requires_the_owner_that_listens() {
    let daemon = start();
    let me = rustix::process::geteuid().as_raw();
    for client in [Client::new(daemon.path()), daemon.handle().client()] {
        // A connection that is kept was not checked.
        assert!(client.send("hall").is_ok());
        let other = client.clone().require_owner(me + 1);
        let error = other.send("hall").expect_err("another owner").to_string();
        assert!(error.starts_with(&format!("wrong owner: uid {me} is listening at ")), "{error}");
        let required = format!(", but uid {} is required; nothing was sent", me + 1);
        assert!(error.ends_with(&required), "{error}");
        assert!(other.require_owner(me).send("hall").is_ok(), "one of two");
        let client = client.require_owner(me).token(TOKEN);
        assert!(client.command("vault").call::<u64>().is_ok());
    }
}

#[test]
fn guesses_are_refused_and_hurt_nobody() {
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
    // The guesses were of this user: its right token waits for the end of the pause.
    let client = Client::new(daemon.path()).token(TOKEN);
    until("the end of the pause", || client.send("vault").is_ok());
    took.sort();
    let p99 = took[took.len() * 99 / 100];
    let beside = took.len();
    figure("guesses of the token", format!("{refused} of {count} refused"));
    figure("calls beside the guesses", format!("{beside} of {beside} answered, p99 {p99:.1?}"));
    drop(daemon);
    // Other tests have daemons of their own, in this process.
    if is_long() {
        // To be run with --test-threads=1.
        until("the end of threads and descriptors", || (threads(), descriptors()) == before);
    }
}

const PAUSED: &str = "-BUSY too many wrong tokens of uid ";

#[test]
fn guesses_over_new_connections_are_paused() {
    let records = State::new(Mutex::new(Vec::new()));
    let (file, told) = (File::new(TOKEN), records.clone());
    // Each pause is twice the one before, and so soon longer than this test.
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
    // Those that are not looked at are not recorded each.
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
    // One of each pause, which begin with the eleventh.
    assert!((1..=wrong - 10).contains(&pauses), "{pauses} for {wrong}");
    assert_eq!(of(""), wrong + pauses);
}

/// Guesses, over as many connections as that takes; gives how many were refused.
fn guess(daemon: &Daemon, count: usize) -> usize {
    let mut dice = Dice::new(5);
    let (mut refused, mut left) = (0, count);
    while left > 0 {
        let mut stream = daemon.connect();
        for _ in 0..left.min(3) {
            let mut guess = TOKEN.as_bytes().to_vec();
            let at = dice.below(guess.len());
            // Another byte than the one that is there.
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

/// Wrong tokens of one length that begin with so many right bytes, in turn and many times; whether
/// the time of the answer grows with them is fitted by least squares.
#[test]
fn an_answer_does_not_tell_how_wrong_a_token_was() {
    const LENGTH: usize = 1024;
    let token = "k".repeat(LENGTH);
    let daemon = start_paused(&token, None);
    // Made before, or what is done shortly before a try would differ.
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
            // So that the connection's own beginning is not measured.
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
        // Unoptimised, a loop that ends at the first difference was seen to take 7.6 ns a byte.
        assert!(slope.abs() < 2.0_f64.max(5.0 * error), "{slope} ± {error}");
    }
}

/// The slope in nanoseconds a byte, its standard error, and the median of all times. The slowest
/// tenth, of when something else had the processor, is left out.
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

/// Clients of others, which take the token for a password.
mod peers {
    use std::path::Path;
    use std::process::Command;

    use tests::peers::{lacks, run, text, versions};

    use super::{Daemon, TOKEN, start};

    #[test]
    fn redis_cli_gives_the_token_in_each_way() {
        if lacks("redis-cli") {
            return;
        }
        let daemon = start();
        let ask = |arguments: &[&str], token: &str| {
            let mut command = Command::new("timeout");
            command.args(["60", "redis-cli", "-s"]).arg(daemon.path()).args(arguments);
            if !token.is_empty() {
                command.env("REDISCLI_AUTH", token);
            }
            let output = run(command.arg("vault"), b"");
            let error = String::from_utf8(output.stderr).expect("text");
            (String::from_utf8(output.stdout).expect("text"), error)
        };
        for protocol in ["-2", "-3"] {
            let ways: [(&[&str], &str); 4] = [
                (&[protocol], TOKEN),
                (&[protocol, "--no-auth-warning", "-a", TOKEN], ""),
                (&[protocol, "--no-auth-warning", "--pass", TOKEN], ""),
                (&[protocol, "--no-auth-warning", "--user", "me", "--pass", TOKEN], ""),
            ];
            for (arguments, token) in ways {
                let (answer, error) = ask(arguments, token);
                assert!(answer.trim().parse::<u64>().is_ok(), "{arguments:?}: {answer}{error}");
            }
            let (answer, error) = ask(&[protocol], "not the token at all");
            assert!(answer.starts_with("NOPERM") && error.contains("WRONGPASS"), "{answer}{error}");
            let (answer, _) = ask(&[protocol], "");
            assert!(answer.starts_with("NOPERM"), "{answer}");
        }
    }

    #[test]
    fn redis_py_gives_the_token_as_a_password() {
        every_version("python3", "python", &["redis"], "password.py");
    }

    #[test]
    fn node_clients_give_the_token_as_a_password() {
        every_version("node", "node", &["redis", "ioredis"], "password.cjs");
    }

    fn every_version(interpreter: &str, language: &str, clients: &[&str], script: &str) {
        if lacks(interpreter) {
            return;
        }
        for version in clients.iter().flat_map(|client| versions(language, client)) {
            let report = text(&mut call(interpreter, script, &start(), &version), b"");
            assert!(report.ends_with("ok\n"), "{report}");
            print!("{report}");
        }
    }

    fn call(interpreter: &str, script: &str, daemon: &Daemon, version: &Path) -> Command {
        let mut command = Command::new("timeout");
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        command.args(["60", interpreter]).arg(scripts.join(script)).arg(daemon.path()).arg(TOKEN);
        command.env("PYTHONPATH", version).env("NODE_PATH", version.join("node_modules"));
        command
    }
}
