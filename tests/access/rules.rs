//! Rules of commands and of the server.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use dockipc::{Client, Error, Handle, Request, Server, command};

/// For no user that runs these tests.
#[command("stranger", allow = "uid:4294967294 | group:4294967294")]
fn stranger(request: &Request<'_>) -> u64 {
    request.state::<AtomicU64>().unwrap().fetch_add(1, SeqCst)
}

/// For the user that runs these tests.
#[command("mine", alias = "my-own", allow = "uid:4294967294|owner")]
fn mine() {}

/// For root.
#[command("by-name", allow = "uid:root | group:root")]
fn by_name() {}

/// For root, with names in quotes.
#[command("by-quoted-name", allow = "uid:\"root\" | group:\"root\"")]
fn by_quoted_name() {}

/// For every caller.
#[command("everybody")]
fn everybody() {}

/// A parameter whose parsing counts as a run.
struct Counted;

static PARSED: AtomicU64 = AtomicU64::new(0);

impl std::str::FromStr for Counted {
    type Err = String;

    fn from_str(_: &str) -> Result<Self, String> {
        PARSED.fetch_add(1, SeqCst);
        panic!("parsed");
    }
}

/// Has a parameter whose parsing would panic.
#[command("parses", allow = "uid:4294967294")]
fn parses(#[arg(from_str)] _counted: Counted) {}

fn start(server: Server) -> Handle {
    server.state(AtomicU64::new(0)).spawn_in_process().expect("a server that starts")
}

#[track_caller]
fn ask(client: &Client, line: &str) -> String {
    match client.send(line) {
        Ok(answer) => String::from_utf8(answer).expect("text"),
        Err(Error::Refused(failure)) => format!("{} {}", failure.code(), failure.message()),
        Err(error) => panic!("{error}"),
    }
}

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[test]
fn rule_admits_only_matching_callers() {
    let daemon = start(Server::new());
    let client = daemon.client();
    assert_eq!(ask(&client, "mine"), "");
    assert_eq!(ask(&client, "MY-OWN"), "");
    assert_eq!(ask(&client, "everybody"), "");
    let denied = format!(
        "NOPERM permission denied: \"stranger\" requires uid:4294967294 | group:4294967294 (you are uid {})",
        me()
    );
    assert_eq!(ask(&client, "stranger"), denied);
    let by_name = ask(&client, "by-name");
    assert_eq!(by_name.is_empty(), me() == 0, "{by_name}");
    assert_eq!(ask(&client, "by-quoted-name").is_empty(), me() == 0);
}

#[test]
fn denied_call_parses_nothing() {
    let daemon = start(Server::new());
    let denied = ask(&daemon.client(), "parses word");
    assert!(denied.starts_with("NOPERM"), "{denied}");
    assert_eq!(PARSED.load(SeqCst), 0);
}

#[test]
fn help_hides_denied_commands() {
    let daemon = start(Server::new());
    let client = daemon.client();
    let help = ask(&client, "help");
    assert!(help.contains("everybody") && help.contains("mine"), "{help}");
    assert!(!help.contains("stranger") && !help.contains("parses"), "{help}");
    let unknown = "UNKNOWN no command \"stranger\"; send help for a list";
    assert_eq!(ask(&client, "help stranger"), unknown);
    assert_eq!(ask(&client, "strange"), "UNKNOWN no command \"strange\"; send help for a list");
    let names: Vec<String> = client.command("command").arg("list").call().unwrap();
    assert!(names.contains(&"mine".into()) && !names.contains(&"stranger".into()), "{names:?}");
    let docs = ask(&client, "command docs stranger");
    assert!(!docs.contains("summary"), "{docs}");
    assert!(ask(&client, "help mine").contains("\nallowed: uid:4294967294 | owner\n"));
}

#[test]
fn last_matching_server_rule_wins() {
    let server = Server::new().allow("str*", "uid:4294967294").allow("STRANGE?", "owner | any");
    let daemon = start(server.allow("my-own", "uid:4294967294"));
    let client = daemon.client();
    assert_eq!(ask(&client, "stranger"), "0");
    assert!(ask(&client, "mine").starts_with("NOPERM"), "a rule for an alias is for the command");
}

#[test]
fn builtins_take_rules_and_the_handshake_does_not() {
    let daemon = start(Server::new().allow("*", "uid:4294967294"));
    let client = daemon.client();
    for line in ["ping", "info", "help", "echo x", "everybody"] {
        assert!(ask(&client, line).starts_with("NOPERM"), "{line}");
    }
    assert!(ask(&client, "hello 3").contains("dockipc"));
    assert_eq!(ask(&client, "command count"), "0");
}

#[test]
fn default_deny_runs_only_commands_with_a_rule() {
    let server = Server::new().default_deny().handle("closure", |_: &Request<'_>| ());
    let daemon = start(server.fallback(|_: &Request<'_>| ()).allow("everybody", "any"));
    let client = daemon.client();
    assert_eq!(ask(&client, "mine"), "");
    assert_eq!(ask(&client, "everybody"), "");
    assert_eq!(ask(&client, "ping"), "PONG");
    for line in ["closure", "no-such-name"] {
        let denied = format!(
            "NOPERM permission denied: {line:?} is denied to everyone (you are uid {})",
            me()
        );
        assert_eq!(ask(&client, line), denied);
    }
}

#[test]
fn unusable_rule_fails_the_start() {
    const PLAIN: &str =
        "a name can only contain letters, digits, _ - and ., unless it is in quotes";

    const SPACE: &str = "expected | between two parts; a name with spaces must be in quotes";

    let cases = [
        ("mine", "uid:no.such-user", "no user is named no.such-user"),
        ("mine", "group:no_such_group", "no group is named no_such_group"),
        ("no-such-*", "owner", "no command has such a name"),
        ("hello", "owner", "no command has such a name"),
        ("mine", "", "expected uid:NAME, group:NAME, owner, token or any, at character 1"),
        (
            "mine",
            "owner || any",
            "expected uid:NAME, group:NAME, owner, token or any, at character 8",
        ),
        (
            "mine",
            "owner | user:x",
            "expected uid:NAME, group:NAME, owner, token or any, at character 9",
        ),
        ("mine", "uid:", "expected a name or a number, at character 5"),
        ("mine", "uid:a b", &format!("{SPACE}, at character 7")),
        ("mine", "group:domain users", &format!("{SPACE}, at character 14")),
        ("mine", "any | group:adm &", &format!("{SPACE}, at character 17")),
        ("mine", "owner & any", "expected | between two parts, at character 7"),
        ("mine", r"uid:CORP\x", &format!("{PLAIN}, at character 9")),
        ("mine", "uid:ada@corp", &format!("{PLAIN}, at character 8")),
        ("mine", r#"group:"no such group""#, r#"no group is named "no such group""#),
        ("mine", r#"uid:"CORP\no.such""#, r#"no user is named "CORP\no.such""#),
        ("mine", r#"uid:"no.such" | any"#, "no user is named no.such"),
        // A name, not a number.
        ("mine", r#"uid:"0""#, r#"no user is named "0""#),
        ("mine", r#"uid:"a | b" | uid:"#, "expected a name or a number, at character 19"),
        ("mine", r#"uid:"a | any"#, "missing closing quote, at character 5"),
        ("mine", r#"uid:"" | any"#, "expected a name or a number, at character 5"),
        ("mine", r#"uid:"a"b"#, "expected | after the closing quote, at character 8"),
        ("mine", "uid:\"a\tb\"", "a name cannot contain control characters, at character 7"),
        ("mine", "uid:4294967295", "number too large, at character 5"),
    ];
    for (names, rule, reason) in cases {
        let server = Server::new().state(AtomicU64::new(0)).allow(names, rule);
        let error = server.spawn_in_process().expect_err("a rule that can't be used").to_string();
        assert_eq!(error, format!("invalid rule {rule:?} for {names}: {reason}"));
    }
}

/// Returns the error of starting a server with this rule.
fn refused(rule: &str) -> Option<String> {
    let server = Server::new().state(AtomicU64::new(0)).allow("everybody", rule);
    server.spawn_in_process().err().map(|error| error.to_string())
}

#[test]
fn overflow_id_in_user_namespace_is_refused() {
    const OVERFLOW: [&str; 4] = ["uid:65534", "group:65534", "uid:nobody", "group:nogroup"];
    const PART: &str = "DOCKIPC_TEST_NAMESPACE";

    match std::env::var(PART).as_deref() {
        Ok("root") => {
            for rule in OVERFLOW {
                let why = refused(rule).expect("a refusal");
                let expected = format!(
                    "invalid rule \"{rule}\" for everybody: {rule} is 65534, the id of every unmapped \
                     user in this user namespace; name another user or group"
                );
                assert_eq!(why, expected);
            }
            assert_eq!(refused("uid:0 | group:0 | owner | any"), None);
            return;
        }
        // The daemon's own user is unmapped too.
        Ok(_) => {
            let why = refused("any").expect("a refusal");
            assert!(why.contains(": owner is 65534, the id of "), "{why}");
            return;
        }
        Err(_) => {}
    }
    let unshare = |words: &[&str]| {
        let mut command = std::process::Command::new("unshare");
        command.arg("--user").args(words);
        command
    };
    let can = unshare(&["true"]).status().is_ok_and(|status| status.success());
    if !can {
        println!("skipped: no user namespace can be made");
        assert!(std::env::var_os("DOCKIPC_REQUIRE_PEERS").is_none(), "it is required");
        return;
    }
    for rule in OVERFLOW {
        assert_eq!(refused(rule), None, "{rule}");
    }
    for (part, words) in [("root", &["--map-root-user"] as &[&str]), ("nobody", &[])] {
        let mut command = unshare(words);
        command.arg(std::env::current_exe().unwrap()).env(PART, part);
        command.args(["overflow_id_in_user_namespace_is_refused", "--exact", "--nocapture"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{part}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn quoted_names_are_looked_up() {
    const PART: &str = "DOCKIPC_TEST_NAMES";
    const TEST: &str = "quoted_names_are_looked_up";

    let rule = r#"group:"domain users" | uid:"CORP\ada" | uid:"ada@corp""#;
    if std::env::var_os(PART).is_some() {
        let daemon = start(Server::new().allow("everybody", rule));
        let denied = format!(
            "NOPERM permission denied: \"everybody\" requires {rule} (you are uid {})",
            me()
        );
        assert_eq!(ask(&daemon.client(), "everybody"), denied);
        let rule = r#"group:"domain users of us""#;
        assert!(refused(rule).unwrap().ends_with(r#"no group is named "domain users of us""#));
        return;
    }
    if me() != 0 {
        println!("skipped: this needs root");
        assert!(std::env::var_os("DOCKIPC_REQUIRE_PEERS").is_none(), "it is required");
        return;
    }
    // Files with such names in place of the system's, for this process only.
    let place = tests::Place::new();
    let file = |name: &str, lines: &str| {
        std::fs::write(place.directory().join(name), lines).unwrap();
    };
    file("group", "root:x:0:\ndomain users:x:4711:\n");
    file(
        "passwd",
        "root:x:0:0::/:/bin/sh\nCORP\\ada:x:4712:4711::/:/bin/sh\nada@corp:x:4713:4711::/:/bin/sh\n",
    );
    let mount = "mount --bind group /etc/group && mount --bind passwd /etc/passwd && exec \"$@\"";
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "sh", "-c", mount, "sh"]).arg(std::env::current_exe().unwrap());
    command.args([&*tests::test_name(TEST), "--exact", "--nocapture"]);
    let output = command.current_dir(place.directory()).env(PART, "").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn owner_stays_the_user_that_started_the_server() {
    if me() != 0 {
        println!("skipped: this needs root");
        assert!(std::env::var_os("DOCKIPC_REQUIRE_PEERS").is_none(), "it is required");
        return;
    }
    let other = rustix::process::Uid::from_raw(65_534);
    let daemon = start(Server::new());
    let client = daemon.client();
    assert_eq!(ask(&client, "mine"), "");
    // Like a daemon that drops privileges, but for this thread only, so that other tests are not affected.
    let answer = std::thread::spawn(move || {
        rustix::thread::set_thread_res_uid(other, other, other).expect("another user");
        ask(&daemon.client(), "mine")
    });
    let answer = answer.join().unwrap();
    assert!(answer.starts_with("NOPERM "), "{answer}");
    assert!(answer.ends_with("(you are uid 65534)"), "{answer}");
}
