//! Commands whose names have two words.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Command;
use std::sync::{Arc, Mutex};

use dockipc::{Access, Body, Client, Error, Reply, Request, Secret, Server, Stream, command};
use tests::peers::{lacks, text};
use tests::{Daemon, Place, exchange, expect, resp};

/// Add a group.
#[command("group add", alias = "group new", alias = "addgroup", since = "99.1")]
fn group_add(name: &str, #[arg(long)] size: Option<u8>) -> String {
    format!("{name} {}", size.unwrap_or_default())
}

/// Remove a group.
#[command("group remove", allow = "uid:4294967294")]
fn group_remove(_name: &str) {}

/// Show the members.
#[command("group members", idempotent)]
fn group_members(
    /// The group's name.
    #[arg(complete = names)]
    name: &str,
) -> Stream<String> {
    Stream::iter([format!("{name}-a"), format!("{name}-b")])
}

fn names(prefix: &str) -> Vec<String> {
    vec![format!("{prefix}ps")]
}

/// Give a group a password.
#[command("group lock")]
fn group_lock(_name: &str, password: Secret<String>) -> usize {
    password.expose().len()
}

/// The rest of the line.
#[command("group note")]
fn group_note(#[arg(rest)] text: &str) -> String {
    text.to_owned()
}

/// Count bytes.
#[command("group import")]
fn group_import(body: Body) -> std::io::Result<u64> {
    let mut body = body;
    std::io::copy(&mut body, &mut std::io::sink())
}

/// What is not shown.
#[command("group-hidden", hidden, alias = "secret door")]
fn hidden() {}

/// Add a number.
#[command("sum", deprecated = "use bc")]
fn sum(a: i64, b: i64) -> i64 {
    a + b
}

fn server() -> Server {
    Server::new().handle("group raw", |request: &Request<'_>| {
        let words = request.words().map(|word| String::from_utf8_lossy(word).into_owned());
        format!("{}:{}", request.name(), words.collect::<Vec<_>>().join(","))
    })
}

fn ask(daemon: &Daemon, bytes: impl AsRef<[u8]>) -> String {
    String::from_utf8(exchange(daemon.connect(), bytes.as_ref())).unwrap()
}

/// Returns the answer to a line, without a newline at the end.
fn line(daemon: &Daemon, line: &str) -> String {
    let answer = ask(daemon, format!("{line}\n"));
    answer.strip_suffix('\n').unwrap_or(&answer).to_owned()
}

fn words(daemon: &Daemon, words: &[&str]) -> String {
    ask(daemon, resp(words))
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

#[test]
fn two_words_find_the_command() {
    let daemon = Daemon::start(server());
    for name in ["group add", "GROUP Add", "group new", "Group NEW"] {
        let (first, second) = name.split_once(' ').unwrap();
        assert_eq!(words(&daemon, &[first, second, "ops"]), bulk("ops 0"), "{name}");
        assert_eq!(words(&daemon, &[name, "ops", "--size=3"]), bulk("ops 3"), "{name}");
        assert_eq!(words(&daemon, &[first, second, "--size", "4", "ops"]), bulk("ops 4"), "{name}");
        assert_eq!(line(&daemon, &format!("{name} 'o p' --size 7")), "o p 7", "{name}");
        assert_eq!(line(&daemon, &format!("'{name}' ops")), "ops 0", "{name}");
        assert_eq!(line(&daemon, &format!("'{first}'   \"{second}\" -- --x")), "--x 0", "{name}");
    }
    assert_eq!(words(&daemon, &["addgroup", "ops"]), bulk("ops 0"));
    assert_eq!(words(&daemon, &["secret", "door"]), "+OK\r\n");
    assert_eq!(line(&daemon, r"gr\oup n'ot'e  a  'b' -- c"), "a  'b' -- c");
    assert_eq!(words(&daemon, &["group", "note", "a  ", "'b'"]), bulk("a   'b'"));
    assert_eq!(line(&daemon, "group lock ops 12345"), "5");
}

#[test]
fn mounted_handler_has_both_words_as_its_name() {
    let daemon = Daemon::start(server());
    assert_eq!(line(&daemon, "group raw a 'b c'"), "group raw:a,b c");
    assert_eq!(words(&daemon, &["group", "raw", "a", "b c"]), bulk("group raw:a,b c"));
    assert_eq!(words(&daemon, &["group raw", "a"]), bulk("group raw:a"));
    assert_eq!(
        words(&daemon, &["dockipc", "args", "group", "raw", "a", "--", "--b"]),
        bulk("group raw:a,--b")
    );
}

#[test]
fn group_alone_lists_its_commands() {
    let daemon = Daemon::start(server());
    let list = "group add <name> [--size <size>]  Add a group.\n\
                group import <body>               Count bytes.\n\
                group lock <name> <password>      Give a group a password.\n\
                group members <name>              Show the members.\n\
                group note <text…>                The rest of the line.\n\
                group raw\n";
    for ask in ["group", "GROUP", "help group", " 'group' "] {
        assert_eq!(line(&daemon, ask), list.trim_end(), "{ask}");
    }
    assert_eq!(words(&daemon, &["group"]), bulk(list));
    let help = line(&daemon, "help");
    assert!(help.contains("group add <name> [--size <size>]  Add a group.\n"), "{help}");
    assert!(!help.contains("group remove"), "{help}");
}

#[test]
fn help_takes_one_word_or_two() {
    let daemon = Daemon::start(server());
    let help = "group add <name> [--size <size>]\n\nAdd a group.\n\n  <name>         text\n  \
                --size <size>  integer; optional\n\naliases: group new, addgroup\n\nsince: 99.1\n";
    for ask in ["help group add", "help 'group add'", "HELP GROUP new", "help addgroup"] {
        assert_eq!(line(&daemon, ask), help.trim_end(), "{ask}");
    }
    assert_eq!(
        line(&daemon, "help group ad"),
        "-UNKNOWN no command \"group ad\"; did you mean group add?"
    );
}

#[test]
fn unknown_second_word_gets_the_nearest_of_the_group() {
    let daemon = Daemon::start(server());
    for (sent, answer) in [
        ("group ad ops", "no command \"group ad\"; did you mean group add?"),
        ("GROUP mebmers", "no command \"GROUP mebmers\"; did you mean group members?"),
        ("group whatever", "no command \"group whatever\"; send help group for a list"),
        ("group remov", "no command \"group remov\"; send help group for a list"),
        ("group --size", "no command \"group --size\"; send help group for a list"),
        ("grup add", "no command \"grup\"; did you mean group?"),
        ("group-add", "no command \"group-add\"; did you mean group add?"),
        ("secret room", "no command \"secret room\"; send help for a list"),
        ("secret", "no command \"secret\"; send help for a list"),
        ("'group  add' x", "no command \"group  add\"; did you mean group add?"),
        ("sum 1", "b is missing; usage: sum <a> <b>"),
    ] {
        let code = if sent.starts_with("sum") { "USAGE" } else { "UNKNOWN" };
        assert_eq!(line(&daemon, sent), format!("-{code} {answer}"), "{sent}");
    }
    // A second word of any length is an answer.
    let long = "x".repeat(10_000);
    let answer = words(&daemon, &["group", &long]);
    assert!(answer.starts_with("-UNKNOWN no command \"group xxx"), "{answer}");
    assert_eq!(line(&daemon, "group 'add"), "-USAGE the quote ' at byte 6 is not closed");
}

#[test]
fn fallback_gets_no_unknown_word_of_a_group() {
    let daemon =
        Daemon::start(server().fallback(|request: &Request<'_>| request.name().to_owned()));
    assert_eq!(line(&daemon, "groups add"), "groups");
    assert!(line(&daemon, "group other").starts_with("-UNKNOWN"));
}

#[test]
fn usage_and_types_name_the_full_name() {
    let daemon = Daemon::start(server());
    assert_eq!(
        line(&daemon, "group add"),
        "-USAGE name is missing; usage: group add <name> [--size <size>]"
    );
    assert_eq!(
        words(&daemon, &["group", "add", "a", "b"]),
        "-USAGE unexpected word \"b\"; usage: group add <name> [--size <size>]\r\n"
    );
    assert_eq!(
        words(&daemon, &["dockipc", "args", "group", "add", "--", "--size", "x"]),
        "-USAGE unexpected word \"x\"; usage: group add <name> [--size <size>]\r\n"
    );
    assert_eq!(
        words(&daemon, &["dockipc", "args", "group", "add", "--", "--size"]),
        bulk("--size 0")
    );
    assert_eq!(words(&daemon, &["dockipc", "line", "group add 'a b'"]), bulk("a b 0"));
    let opened = ["dockipc", "with", "deadline", "60000", "--", "group", "add", "ops"];
    assert_eq!(words(&daemon, &opened), bulk("ops 0"));
}

#[test]
fn body_follows_both_words() {
    let daemon = Daemon::start(server());
    assert_eq!(ask(&daemon, "group import\nfive!"), "5");
    assert_eq!(words(&daemon, &["group", "import", "12345678"]), ":8\r\n");
    assert_eq!(words(&daemon, &["group import", "12345678"]), ":8\r\n");
    let counted: u64 =
        Client::new(daemon.path()).command("group import").body(&b"abc"[..]).call().unwrap();
    assert_eq!(counted, 3);
}

#[test]
fn transaction_queues_commands_of_groups() {
    let daemon = Daemon::start(server());
    let bytes = [
        resp(&["multi"]),
        resp(&["group", "add", "a"]),
        resp(&["GROUP ADD", "b"]),
        resp(&["group"]),
        resp(&["group", "raw", "c"]),
        resp(&["exec"]),
    ];
    let answer = ask(&daemon, bytes.concat());
    let (queued, executed) = answer.split_at("+OK\r\n".len() + 4 * "+QUEUED\r\n".len());
    assert_eq!(queued, format!("+OK\r\n{}", "+QUEUED\r\n".repeat(4)));
    assert!(executed.starts_with(&format!("*4\r\n{}{}", bulk("a 0"), bulk("b 0"))), "{executed}");
    assert!(executed.ends_with(&bulk("group raw:c")), "{executed}");
    let bytes = [resp(&["multi"]), resp(&["group", "ad"]), resp(&["exec"])];
    assert_eq!(
        ask(&daemon, bytes.concat()),
        "+OK\r\n-UNKNOWN no command \"group ad\"; did you mean group add?\r\n\
         -EXECABORT Transaction discarded because of previous errors.\r\n"
    );
}

#[test]
fn stream_of_a_group_can_be_subscribed() {
    let daemon = Daemon::start(server());
    let mut stream = daemon.connect();
    let call = "GROUP members ops";
    stream.write_all(&resp(&["psubscribe", call])).unwrap();
    let mut expected = format!("*3\r\n{}{}:1\r\n", bulk("psubscribe"), bulk(call));
    for (kind, text) in [("item", "ops-a"), ("item", "ops-b"), ("end", "+END")] {
        let message: String = ["pmessage", call, kind, text].map(bulk).concat();
        expected = format!("{expected}*4\r\n{message}");
    }
    expect(&mut stream, expected.as_bytes());
    for (call, answer) in [
        ("group add x", "-USAGE \"group add\" is not a stream; call it\r\n"),
        ("group ", "-USAGE \"group\" is a group; send help group for its commands\r\n"),
        ("group member x", "-UNKNOWN no command \"group member\"; did you mean group members?\r\n"),
        ("group members", "-USAGE name is missing; usage: group members <name>\r\n"),
        ("group remove x", "-NOPERM permission denied: \"group remove\" requires uid:4294967294"),
    ] {
        let told = words(&daemon, &["psubscribe", call]);
        assert!(told.starts_with(answer), "{told}");
    }
    let items = Client::new(daemon.path()).command("group members").arg("x").stream::<String>();
    assert_eq!(items.unwrap().map(|item| item.unwrap()).collect::<Vec<_>>(), ["x-a", "x-b"]);
}

#[test]
fn rules_and_records_have_the_full_name() {
    let records = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&records);
    let ran = Arc::new(Mutex::new(Vec::new()));
    let (before, after) = (Arc::clone(&ran), Arc::clone(&ran));
    let daemon = Daemon::start(
        server()
            .allow("group *", "owner")
            .allow("group raw", "uid:4294967294")
            .audit(move |record| {
                kept.lock().unwrap().push(format!("{record:?}"));
                Ok(())
            })
            .before(move |call| {
                before.lock().unwrap().push(format!("before {}", call.name()));
                Ok(())
            })
            .after(move |call, _, _| after.lock().unwrap().push(format!("after {}", call.name()))),
    );
    assert_eq!(words(&daemon, &["GROUP", "new", "ops"]), bulk("ops 0"));
    assert!(line(&daemon, "group raw x").starts_with("-NOPERM permission denied: \"group raw\""));
    assert_eq!(
        line(&daemon, "group add a b c").split(';').next(),
        Some("-USAGE unexpected word \"b\"")
    );
    assert_eq!(line(&daemon, "group lock a hush"), "4");
    let records = records.lock().unwrap();
    assert_eq!(records.len(), 4);
    for (record, parts) in records.iter().zip([
        ["command: \"group add\"", "ops"],
        ["command: \"group raw\"", "Denied"],
        ["command: \"group add\"", "Allowed"],
        ["command: \"group lock\"", "Allowed"],
    ]) {
        assert!(parts.iter().all(|part| record.contains(part)), "{record}");
        assert!(!record.contains("hush"), "{record}");
    }
    let ran = ran.lock().unwrap();
    assert_eq!(ran[..2], ["before group add", "after group add"]);
    assert!(ran.iter().all(|name| name.contains(" group ")), "{ran:?}");
}

#[test]
fn second_socket_offers_the_commands_of_a_group() {
    let (place, other) = (Place::new(), Place::new());
    let server = server().also_at(other.socket(), Access::only(["group *"]));
    let handle = server.spawn(place.socket()).unwrap();
    let ask = |bytes: &[u8]| {
        let stream = std::os::unix::net::UnixStream::connect(other.socket()).unwrap();
        String::from_utf8(exchange(stream, bytes)).unwrap()
    };
    assert_eq!(ask(b"group add ops\n"), "ops 0");
    assert!(ask(b"sum 1 2\n").starts_with("-NOPERM"));
    handle.shutdown();
    handle.join();
    let server = self::server().also_at(other.socket(), Access::only(["sum"]));
    let handle = server.spawn(place.socket()).unwrap();
    let ask = |bytes: &[u8]| {
        let stream = std::os::unix::net::UnixStream::connect(other.socket()).unwrap();
        String::from_utf8(exchange(stream, bytes)).unwrap()
    };
    assert!(ask(b"group add ops\n").starts_with("-NOPERM permission denied: \"group add\""));
    assert_eq!(ask(b"group\n"), "-UNKNOWN no command \"group\"; send help for a list\n");
    handle.shutdown();
    handle.join();
    let error = self::server().allow("group", "owner").spawn_in_process().map(drop).unwrap_err();
    assert!(matches!(error, Error::BadRule { .. }), "{error}");
}

#[test]
fn questions_of_programs_take_the_full_name() {
    let daemon = Daemon::start(server());
    let dockipc = |more: &[&str]| words(&daemon, &[&["dockipc"], more].concat());
    assert_eq!(dockipc(&["idempotent", "group members"]), ":1\r\n");
    assert_eq!(dockipc(&["idempotent", "GROUP add"]), ":0\r\n");
    assert_eq!(
        dockipc(&["complete", "group members", "name", "o"]),
        format!("*1\r\n{}", bulk("ops"))
    );
    assert_eq!(dockipc(&["complete", "group", "name", "o"]), "*0\r\n");
    let client = Client::new(daemon.path());
    let described = |names: &[&str]| {
        let mut call = client.command("dockipc").arg("describe");
        for name in names {
            call = call.arg(*name);
        }
        call.call::<BTreeMap<String, BTreeMap<String, Reply>>>().unwrap()
    };
    let keys = |names: &[&str]| described(names).into_keys().collect::<Vec<_>>().join(",");
    assert_eq!(keys(&["GROUP new"]), "group add");
    let all = "group add,group import,group lock,group members,group note,group raw";
    assert_eq!(keys(&["group"]), all);
    // A group beside one of its commands is the word in front of it.
    assert_eq!(keys(&["group add", "sum", "group", "group"]), "group add,sum");
    assert_eq!(keys(&["sum", "group", "group"]), format!("{all},sum"));
    let usage = Reply::Bytes(b"group add <name> [--size <size>]".to_vec());
    assert_eq!(described(&["group"])["group add"]["usage"], usage);
    assert!(keys(&[]).contains(&format!(",{all},")));
}

#[test]
fn command_has_subcommands_as_in_redis() {
    let daemon = Daemon::start(server());
    let client = Client::new(daemon.path());
    let command = |words: &[&str]| {
        let mut call = client.command("command");
        for word in words {
            call = call.arg(*word);
        }
        call.call::<Reply>().unwrap()
    };
    assert_eq!(command(&["count"]), Reply::Int(6));
    let shown: Vec<String> = client.command("command").arg("list").call().unwrap();
    assert_eq!(
        shown.join(" "),
        "echo group group|add group|import group|lock group|members group|note group|raw help info \
         ping sum"
    );
    let (status, none) =
        (|text: &str| Reply::Status(text.to_owned().into()), Reply::List(Vec::new()));
    let row = |name: &str, arity, flags: &[&str], members| {
        let flags = flags.iter().map(|flag| status(flag)).collect();
        let mut row = vec![Reply::Bytes(name.into()), Reply::Int(arity), Reply::List(flags)];
        row.extend([Reply::Int(0), Reply::Int(0), Reply::Int(0)]);
        row.extend([none.clone(), none.clone(), none.clone(), Reply::List(members)]);
        Reply::List(row)
    };
    let members = || row("group|members", 3, &["write", "idempotent"], Vec::new());
    for name in ["group|members", "GROUP MEMBERS"] {
        assert_eq!(command(&["info", name]), Reply::List(vec![members()]), "{name}");
    }
    let group = row(
        "group",
        -2,
        &[],
        vec![
            row("group|add", -3, &["write"], Vec::new()),
            row("group|import", 3, &["write"], Vec::new()),
            row("group|lock", 4, &["write"], Vec::new()),
            members(),
            row("group|note", -3, &["write"], Vec::new()),
            row("group|raw", -2, &["write"], Vec::new()),
        ],
    );
    assert_eq!(
        command(&["info", "group", "group|none"]),
        Reply::List(vec![group.clone(), Reply::Null])
    );
    let Reply::List(all) = command(&[]) else { panic!() };
    assert_eq!((all.len(), &all[1]), (6, &group));
    let docs: BTreeMap<String, BTreeMap<String, Reply>> =
        client.command("command").arg("docs").call().unwrap();
    let Reply::Map(members) = &docs["group"]["subcommands"] else { panic!("{docs:?}") };
    assert_eq!(members.len(), 6);
    assert_eq!(members[0].0, Reply::Bytes(b"group|add".to_vec()));
    let one: BTreeMap<String, BTreeMap<String, Reply>> =
        client.command("command").arg("docs").arg("group|add").call().unwrap();
    assert_eq!(one.keys().collect::<Vec<_>>(), ["group|add"]);
    assert_eq!(one["group|add"]["summary"], Reply::Bytes(b"Add a group.".to_vec()));
}

#[test]
fn group_with_the_name_of_a_command_is_refused() {
    let refusal = |server: Server| server.spawn_in_process().map(drop).unwrap_err();
    let error = refusal(server().handle("group", |_| ()));
    let Error::GroupIsCommand { name, command, member, place } = &error else { panic!("{error}") };
    assert_eq!((name.as_str(), member.as_str()), ("group", "group add"));
    let line = line!() - 3;
    assert_eq!(*command, format!("{}:{line}", file!()));
    assert!(place.starts_with(concat!(file!(), ":")), "{place}");
    let message = error.to_string();
    assert!(message.contains(command) && message.contains(place), "{message}");
    let error = refusal(server().handle("sum all", |_| ()));
    let Error::GroupIsCommand { name, member, .. } = &error else { panic!("{error}") };
    assert_eq!((name.as_str(), member.as_str()), ("sum", "sum all"));
    for built_in in ["ping me", "exec all"] {
        let error = refusal(server().handle(built_in, |_| ()));
        let Error::GroupIsCommand { command, .. } = &error else { panic!("{error}") };
        assert_eq!(command, "dockipc itself");
    }
    for bad in ["a b c", "a  b", " a", "a ", "hello you", "a -b", "A b"] {
        let error = refusal(server().handle(bad, |_| ()));
        assert!(matches!(error, Error::BadName { .. }), "{bad}: {error}");
    }
    let error = refusal(server().handle("group add", |_| ()));
    assert!(matches!(error, Error::DuplicateName { .. }), "{error}");
}

#[test]
fn redis_cli_calls_hints_and_explains() {
    if lacks("redis-cli") {
        return;
    }
    let daemon = Daemon::start(server());
    let cli = |words: &[&str]| {
        let mut command = Command::new("timeout");
        text(command.args(["60", "redis-cli", "-s"]).arg(daemon.path()).args(words), b"")
    };
    for protocol in ["-2", "-3"] {
        assert_eq!(cli(&[protocol, "group", "add", "ops"]), "ops 0\n");
        assert_eq!(cli(&[protocol, "GROUP ADD", "ops"]), "ops 0\n");
        if !lacks("python3") {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/groups_redis_cli.py");
            let mut prompt = Command::new("timeout");
            prompt.args(["60", "python3", script]).arg(daemon.path()).arg(protocol);
            text(&mut prompt, b"");
        }
    }
}

#[test]
fn clients_of_redis_call_and_read_groups() {
    let daemon = Daemon::start(server());
    for version in tests::peers::versions("python", "redis") {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/groups_redis_py.py");
        let mut python = Command::new("timeout");
        python.args(["60", "python3", script]).arg(daemon.path()).env("PYTHONPATH", version);
        text(&mut python, b"");
    }
    if lacks("node") {
        return;
    }
    for module in ["redis", "ioredis", "iovalkey"] {
        for version in tests::peers::versions("node", module) {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/groups.cjs");
            let mut node = Command::new("timeout");
            node.args(["60", "node", script]).arg(daemon.path()).arg(module);
            text(node.env("NODE_PATH", version.join("node_modules")), b"");
        }
    }
}
