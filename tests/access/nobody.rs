//! Access rules, tried by processes of other users.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::{fs, thread};

use dockipc::audit::JsonLines;
use dockipc::{Access, Handle, Secret, Server, command};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use serde_json::Value;
use tests::process::{descriptors_of, resident_of, settled};
use tests::users::{self, Shared, User, part, say};
use tests::{PATIENCE, exchange, figure, resp};

const OWNER: User = User { uid: 51_000, gid: 51_000, groups: &[] };
const NOBODY: User = User { uid: 65_534, gid: 65_534, groups: &[] };
const CALLERS: [User; 5] = [
    User { uid: 0, gid: 0, groups: &[] },
    OWNER,
    User { uid: 51_001, gid: 51_100, groups: &[] },
    User { uid: 51_002, gid: 51_002, groups: &[51_007, 51_100] },
    NOBODY,
];

/// No rule.
#[command("none")]
fn none() -> &'static str {
    "ran"
}

/// For every caller.
#[command("any", allow = "any")]
fn any() -> &'static str {
    "ran"
}

/// For the daemon's user.
#[command("owner", allow = "owner")]
fn owner() -> &'static str {
    "ran"
}

/// For root.
#[command("root", allow = "uid:root")]
fn root() -> &'static str {
    "ran"
}

/// For one user.
#[command("user", allow = "uid:51001")]
fn user() -> &'static str {
    "ran"
}

/// For a group.
#[command("group", allow = "group:51100")]
fn group() -> &'static str {
    "ran"
}

/// For a group and the daemon's user.
#[command("either", allow = "group:51100 | owner")]
fn either() -> &'static str {
    "ran"
}

/// For none of the callers.
#[command("stranger", allow = "uid:51999")]
fn stranger() -> &'static str {
    "ran"
}

const RULES: [&str; 8] = ["none", "any", "owner", "root", "user", "group", "either", "stranger"];
/// The commands of the second socket.
const OFFERED: [&str; 4] = ["none", "root", "group", "either"];

/// A rule, and whether it admits each caller, at the first socket and at the second.
/// The callers: root, owner, group member, supplementary group member, nobody, in-process.
const TABLE: [(&str, &str, &str); 8] = [
    ("none", "yes yes yes yes yes yes", "yes yes yes yes yes yes"),
    ("any", "yes yes yes yes yes yes", "no no no no no no"),
    ("owner", "no yes no no no yes", "no no no no no no"),
    ("root", "yes no no no no no", "yes no no no no no"),
    ("user", "no no yes no no no", "no no no no no no"),
    ("group", "no no yes yes no no", "no no yes yes no no"),
    ("either", "no yes yes yes no yes", "no yes yes yes no yes"),
    ("stranger", "no no no no no no", "no no no no no no"),
];

/// The daemon's process, which also connects without a path: through its own handle, and through that of a
/// server without a path.
const IN_PROCESS: usize = CALLERS.len();

/// The row that differs with `default_deny`.
const DENIED: (&str, &str, &str) = ("none", "no no no no no no", "no no no no no no");

/// Says whether each rule admits this process, in both modes.
fn say_cells(socket: &str, connect: impl Fn() -> UnixStream) {
    for rule in RULES {
        let ask = |bytes: &[u8]| String::from_utf8(exchange(connect(), bytes)).unwrap();
        let verdict = |answer: &str, allowed: &str| match answer {
            _ if answer == allowed => "yes",
            _ if answer.starts_with("-NOPERM ") => "no",
            _ => panic!("{socket} {rule}: {answer}"),
        };
        let line = verdict(&ask(format!("{rule}\n").as_bytes()), "ran");
        say(format!("{socket} {rule} line {line}"));
        let redis = verdict(&ask(&resp(&[rule])), "$3\r\nran\r\n");
        say(format!("{socket} {rule} RESP {redis}"));
    }
}

/// Calls [`say_cells`] for both sockets.
fn say_all_cells() {
    for socket in ["first", "second"] {
        say_cells(socket, || UnixStream::connect(socket).unwrap());
    }
}

/// Returns what the table says that a caller says.
fn expected(denies: bool, caller: usize) -> BTreeSet<String> {
    let mut cells = BTreeSet::new();
    for row in TABLE {
        let (rule, first, second) = if denies && row.0 == DENIED.0 { DENIED } else { row };
        let mut sockets = vec![("first", first), ("second", second)];
        if caller == IN_PROCESS {
            sockets.extend([("its own", first), ("without a path", first)]);
        }
        for (socket, verdicts) in sockets {
            let verdict = verdicts.split(' ').nth(caller).unwrap();
            for mode in ["line", "RESP"] {
                cells.insert(format!("{socket} {rule} {mode} {verdict}"));
            }
        }
    }
    cells
}

/// Runs a daemon in this process at two sockets until the test ends it.
fn serve(server: Server, then: impl FnOnce(&Handle)) {
    let server = server.mode(0o666).also_at("second", Access::only(OFFERED).mode(0o666));
    let daemon = server.spawn("first").unwrap();
    then(&daemon);
    say("ready");
    users::wait_for_the_end();
    drop(daemon);
}

#[test]
fn access_table_holds_for_every_caller() {
    let name = "access_table_holds_for_every_caller";
    let serve = |server: fn() -> Server| {
        serve(server(), |daemon| {
            say_all_cells();
            say_cells("its own", || daemon.connect().unwrap());
            let alone = server().spawn_in_process().unwrap();
            say_cells("without a path", || alone.connect().unwrap());
        });
    };
    match part().as_deref() {
        Some("daemon") => return serve(Server::new),
        Some("denying daemon") => return serve(|| Server::new().default_deny()),
        Some(_) => return say_all_cells(),
        None => {}
    }
    if !users::can_be_had() {
        return;
    }
    let mut count = 0;
    for (denies, daemon) in [(false, "daemon"), (true, "denying daemon")] {
        let place = Shared::new(OWNER);
        let mut daemon = place.start(name, daemon, OWNER);
        let said = std::iter::from_fn(|| daemon.line()).take_while(|line| line != "ready");
        assert_eq!(said.collect::<BTreeSet<_>>(), expected(denies, IN_PROCESS), "in-process");
        count += expected(denies, IN_PROCESS).len();
        for (caller, user) in CALLERS.into_iter().enumerate() {
            let said: BTreeSet<_> = place.play(name, "caller", user).into_iter().collect();
            assert_eq!(said, expected(denies, caller), "{user:?}");
            count += said.len();
        }
    }
    figure("callers, rules, modes and sockets that were tried", count);
}

static PARSED: AtomicU64 = AtomicU64::new(0);

/// A parameter that must not be parsed.
struct Trap;

impl FromStr for Trap {
    type Err = Infallible;

    fn from_str(word: &str) -> Result<Self, Infallible> {
        PARSED.fetch_add(1, SeqCst);
        fs::write("parsed", word).unwrap();
        match word {
            "panic" => panic!("parsed"),
            "block" => loop {
                thread::park();
            },
            _ => Ok(Self),
        }
    }
}

/// For the daemon's user.
#[command("trap", allow = "owner")]
fn trap(#[arg(from_str)] _trap: Trap) {}

/// Returns the number of parsed traps.
#[command("parsed")]
fn parsed() -> u64 {
    PARSED.load(SeqCst)
}

#[test]
fn denied_call_runs_no_author_code() {
    let name = "denied_call_runs_no_author_code";
    let words = ["write", "panic", "block"];
    let ask = |bytes: &[u8]| {
        let answer = exchange(UnixStream::connect("first").unwrap(), bytes);
        String::from_utf8(answer).unwrap()
    };
    match part().as_deref() {
        Some("daemon") => return serve(Server::new(), |_| ()),
        Some("denied") => {
            for word in words {
                for answer in
                    [ask(format!("trap {word}\n").as_bytes()), ask(&resp(&["trap", word]))]
                {
                    assert!(answer.starts_with("-NOPERM "), "{answer}");
                }
            }
            return say(ask(b"parsed\n"));
        }
        Some(_) => {
            // The owner's calls do parse the parameter.
            assert_eq!(ask(b"trap write\n"), "");
            assert!(ask(b"trap panic\n").starts_with("-PANIC "));
            return say(ask(b"parsed\n"));
        }
        None => {}
    }
    if !users::can_be_had() {
        return;
    }
    let place = Shared::new(OWNER);
    let mut daemon = place.start(name, "daemon", OWNER);
    assert_eq!(daemon.line().unwrap(), "ready");
    for user in CALLERS.into_iter().filter(|user| user.uid != OWNER.uid) {
        assert_eq!(place.play(name, "denied", user), ["0"], "{user:?}");
    }
    assert!(!place.directory().join("parsed").exists());
    assert_eq!(place.play(name, "owner", OWNER), ["2"]);
    assert_eq!(fs::read(place.directory().join("parsed")).unwrap(), b"panic");
}

/// Names for a client and its socket.
const DISGUISES: [&str; 8] = [
    ";uid=0;",
    "uid=0",
    "uid=0,gid=0,pid=1",
    "root",
    "\nuid:root\n",
    "x\0;uid=0;",
    "x\r\n+OK\r\n",
    "owner | uid:root | any",
];

#[test]
fn names_like_credentials_give_no_access() {
    let name = "names_like_credentials_give_no_access";
    match part().as_deref() {
        Some("daemon") => return serve(Server::new(), |_| ()),
        Some(_) => return disguised(),
        None => {}
    }
    if !users::can_be_had() {
        return;
    }
    let place = Shared::new(OWNER);
    let mut daemon = place.start(name, "daemon", OWNER);
    assert_eq!(daemon.line().unwrap(), "ready");
    let said = place.play(name, "nobody", NOBODY);
    // One abstract name and one path each; a path can't contain NUL.
    assert_eq!(said.len(), 2 * DISGUISES.len() - 1, "{said:?}");
}

/// Calls denied commands under each name.
fn disguised() {
    for (number, disguise) in DISGUISES.into_iter().enumerate() {
        let bytes = [format!("{number}").as_bytes(), disguise.as_bytes()].concat();
        let path = [b"open/", disguise.as_bytes()].concat();
        let addresses =
            [SocketAddrUnix::new_abstract_name(&bytes).ok(), SocketAddrUnix::new(&*path).ok()];
        for address in addresses.into_iter().flatten() {
            let socket =
                rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
            rustix::net::bind(&socket, &address).unwrap();
            rustix::net::connect(&socket, &SocketAddrUnix::new("first").unwrap()).unwrap();
            let stream = UnixStream::from(socket);
            stream.set_write_timeout(Some(PATIENCE)).unwrap();
            let asked = [
                resp(&["HELLO", "2", "SETNAME", disguise]),
                resp(&["CLIENT", "SETNAME", disguise]),
                resp(&["CLIENT", "SETINFO", "LIB-NAME", disguise]),
                resp(&["root"]),
                resp(&["owner"]),
                resp(&["stranger"]),
            ];
            let answer = String::from_utf8(exchange(stream, &asked.concat())).unwrap();
            assert_eq!(answer.matches("-NOPERM ").count(), 3, "{answer}");
            assert_eq!(answer.matches("you are uid 65534").count(), 3, "{answer}");
            assert!(!answer.contains("$3\r\nran\r\n"), "{answer}");
            say(number);
        }
    }
}

/// The number of messages with descriptors.
const MESSAGES: usize = 1_000;

#[test]
fn passed_descriptors_are_refused() {
    let name = "passed_descriptors_are_refused";
    match part().as_deref() {
        Some("daemon") => return serve(Server::new(), |_| ()),
        Some(_) => return send_along(),
        None => {}
    }
    if !users::can_be_had() {
        return;
    }
    let place = Shared::new(OWNER);
    let mut daemon = place.start(name, "daemon", OWNER);
    assert_eq!(daemon.line().unwrap(), "ready");
    let count = || descriptors_of(daemon.id());
    let before = settled(count);
    let said = place.play(name, "nobody", NOBODY);
    assert_eq!(settled(count), before);
    figure(
        "descriptors before and after 1,000 messages with one each",
        format!("{before}, {}", count()),
    );
    figure("how they were sent", said.join(" "));
}

/// Sends commands with descriptors attached, and reads the answers.
fn send_along() {
    use rustix::net::{
        RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recv, sendmsg,
    };
    let file = fs::File::open("/dev/null").unwrap();
    let files = [std::os::fd::AsFd::as_fd(&file)];
    let ping = resp(&["PING"]);
    let (mut refused, mut sent) = (0, 0);
    let stream = UnixStream::connect("first").unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    for _ in 0..MESSAGES {
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        assert!(beside.push(SendAncillaryMessage::ScmRights(&files)));
        let bytes = [std::io::IoSlice::new(&ping)];
        match sendmsg(&stream, &bytes, &mut beside, SendFlags::NOSIGNAL) {
            Ok(_) => sent += 1,
            Err(rustix::io::Errno::PERM) => {
                refused += 1;
                rustix::net::send(&stream, &ping, SendFlags::NOSIGNAL).unwrap();
            }
            Err(error) => panic!("{error}"),
        }
        let mut answer = [0; 7];
        assert_eq!(recv(&stream, &mut answer[..], RecvFlags::WAITALL).unwrap().0, 7);
        assert_eq!(&answer, b"+PONG\r\n");
    }
    say(format!("{refused} refused by the kernel, {sent} sent and thrown away"));
}

/// For the daemon's user.
#[command("unlock", allow = "owner")]
fn unlock(_user: &str, _password: Secret<String>, #[arg(long, secret)] _pin: Option<String>) {}

const SECRET: &str = "hunter2-swordfish";
const PIN: &str = "pin-4321";
const TOKEN: &str = "the-token-that-nobody-else-knows";
const ATTEMPTS: usize = 10_000;

#[test]
fn denied_calls_are_recorded_without_secrets() {
    let name = "denied_calls_are_recorded_without_secrets";
    match part().as_deref() {
        Some("daemon") => {
            let mut options = fs::OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open("token").unwrap();
            file.write_all(TOKEN.as_bytes()).unwrap();
            let log = JsonLines::create("audit").unwrap();
            let server = Server::new().token_file("token").allow("any", "token");
            return serve(server.audit(move |record| log.write(record)), |_| ());
        }
        Some(attempts) => return attempt(attempts.parse().unwrap()),
        None => {}
    }
    if !users::can_be_had() {
        return;
    }
    let place = Shared::new(OWNER);
    let mut daemon = place.start(name, "daemon", OWNER);
    assert_eq!(daemon.line().unwrap(), "ready");
    // Memory that the daemon keeps is allocated by the first calls.
    let first = ATTEMPTS / 10;
    place.play(name, &first.to_string(), NOBODY);
    let before = resident_of(daemon.id());
    place.play(name, &(ATTEMPTS - first).to_string(), NOBODY);
    let grown = resident_of(daemon.id()).saturating_sub(before);

    let text = fs::read_to_string(place.directory().join("audit")).unwrap();
    let records: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), ATTEMPTS);
    for record in &records {
        assert_eq!((&record["uid"], &record["command"]), (&NOBODY.uid.into(), &"unlock".into()));
        assert_eq!(record["decision"], "denied");
        // If the words don't fit, any of them could be the secret.
        let first = &record["arguments"][0]["value"];
        assert!(first == "me" || (first.is_null() && record["left_out"] == 5), "{record}");
    }
    let with = records.iter().filter(|record| shows_a_secret(&record.to_string())).count();
    figure(
        "denied attempts of another user: tries, records, with a secret, more memory in KiB",
        format_args!("{ATTEMPTS}, {}, {with}, {}", records.len(), grown / 1024),
    );
    assert!(with == 0 && !shows_a_secret(&text));
    assert!(grown <= 512 * 1024, "{grown}");
}

fn shows_a_secret(text: &str) -> bool {
    [SECRET, PIN, TOKEN].iter().any(|secret| text.contains(secret))
}

/// Calls denied commands with secrets in every form.
fn attempt(attempts: usize) {
    let wrapped = format!("unlock me {SECRET} --pin={PIN}");
    let line = format!("unlock me \"{SECRET}\"\n");
    let shapes: [Vec<u8>; 6] = [
        line.into_bytes(),
        resp(&["unlock", "me", SECRET]),
        resp(&["unlock", "me", SECRET, "--pin", PIN]),
        // These words don't fit the parameters.
        resp(&["unlock", "me", SECRET, SECRET, "--pin", PIN]),
        resp(&["dockipc", "line", &wrapped]),
        [resp(&["AUTH", TOKEN]), resp(&["unlock", "me", SECRET])].concat(),
    ];
    for shape in shapes.iter().cycle().take(attempts) {
        let answer = exchange(UnixStream::connect("first").unwrap(), shape);
        let answer = String::from_utf8(answer).unwrap();
        assert_eq!(
            answer.matches("NOPERM permission denied: \"unlock\" requires owner").count(),
            1,
            "{answer}"
        );
        assert!(!shows_a_secret(&answer), "{answer}");
    }
}
