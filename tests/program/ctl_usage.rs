//! The program `dockipc`: help, and command lines that it refuses.

use std::fs;
use std::os::unix::fs::symlink;

use tests::Place;
use tests::ctl::{self, dockipc, run};

use super::ctl::{answered, daemon, failed};

#[test]
fn commands_are_listed_and_explained() {
    let daemon = daemon();
    let path = daemon.path();
    let path = path.to_str().unwrap();
    let ran = dockipc(["commands", path]);
    assert!(ran.text().starts_with(
        "add\tadd <n> [--times <times>] [--twice] [--unit <unit>]\tAdd to a number.\n\
         blob\tblob <size>\tAnswer with `size` bytes.\n"
    ));
    assert!(!ran.text().contains("closed"), "a command that the caller may not run is not shown");
    assert_eq!(dockipc(["help", path]), ran);
    let help = "\
Usage: add <n> [--times <times>] [--twice] [--unit <unit>]

Add to a number.

Nothing is kept.

Arguments:
  <n>              What to add. [integer]
  --times <times>  [integer, default 1]
  --twice
  --unit <unit>    How large. [kilo|mega, optional]

Aliases: plus
Idempotent: running it twice has the same effect as once.
";
    for name in ["add", "PLUS"] {
        answered(&dockipc(["help", path, name]), help.as_bytes());
    }
    let help = "\
Usage: open <password> [<text…>]

Allowed for everybody, by a rule.

Arguments:
  <password>  [text, secret]
  <text…>     [text, optional]

Allowed for: any
";
    answered(&dockipc(["help", path, "open"]), help.as_bytes());
    let ran = dockipc(["help", path, "opne"]);
    failed(&ran, 2, "test-dockipc: UNKNOWN no command \"opne\"; did you mean open?\n");
}

#[test]
fn usage_errors_name_the_mistake() {
    let ran = dockipc(["cal", "x"]);
    let why = "(a socket's path has a / in it)";
    failed(
        &ran,
        2,
        &format!("test-dockipc: unknown subcommand \"cal\" {why}; did you mean call?\n"),
    );
    let ran = dockipc(["frobnicate", "x"]);
    failed(
        &ran,
        2,
        &format!("test-dockipc: unknown subcommand \"frobnicate\" {why}; see --help\n"),
    );
    let ran = dockipc(["call", "./socket", "-f", "lines"]);
    let hint = "invalid command name \"-f\": put options before the socket";
    failed(&ran, 2, &format!("test-dockipc: {hint}\n"));
    let ran = dockipc(["call", "--jsn", "hitd", "list"]);
    failed(&ran, 2, "test-dockipc: unknown option --jsn; did you mean --json?\n");
    let ran = dockipc(["call", "--frobnicate", "hitd", "list"]);
    failed(&ran, 2, "test-dockipc: unknown option --frobnicate; see --help\n");
    let ran = dockipc(["list", "-s", "./socket"]);
    failed(
        &ran,
        2,
        "test-dockipc: list takes no socket: it searches directories; leave out --socket\n",
    );
    let ran = dockipc(["call", "-f", "lines", "--repeat", "2", "./socket"]);
    assert!(ran.code == Some(2) && ran.err.contains("cannot be used with"), "{ran:?}");
    let ran = dockipc(["call", "--timeout", "2"]);
    assert!(ran.code == Some(2) && ran.err.contains("expected a duration such as"), "{ran:?}");
    let ran = dockipc(["call", "--timeout", "0s"]);
    assert!(
        ran.code == Some(2)
            && ran.err.contains("must be greater than zero; leave it out to wait without limit"),
        "{ran:?}"
    );
    let ran = dockipc::<&str>([]);
    assert!(ran.code == Some(2) && ran.err.contains("Usage: test-dockipc"), "{ran:?}");
    let version = dockipc(["--version"]).text();
    assert!(version.starts_with("dockipc ") && version.contains("features: cli"), "{version}");
}

#[test]
fn refused_command_line_is_pointed_at() {
    let cases: [(&[&str], &str); 12] = [
        (&["--bogus"], "unknown option --bogus; see --help\n  # --bogus\n    ^^^^^^^\n"),
        (
            &["--json", "x"],
            "unknown option --json; it is an option of call\n  # --json x\n    ^^^^^^\n",
        ),
        (
            &["list", "--al"],
            "unknown option --al; did you mean --all?\n  # list --al\n         ^^^^\n",
        ),
        (
            &["call", "--timeout", "2"],
            "invalid --timeout \"2\": expected a duration such as 200ms, 1.5s, 3m or 1h30m\n\
             \x20 # call --timeout 2\n                   ^\n",
        ),
        (
            &["ping", "-cx"],
            "invalid --count \"x\": expected an integer of at least 1\n  # ping -cx\n         ^^^\n",
        ),
        (&["ping", "-c"], "--count needs a value\n  # ping -c\n         ^^\n"),
        (
            &["completions", "fihs"],
            "invalid SHELL \"fihs\": expected one of bash, zsh, fish; did you mean fish?\n\
             \x20 # completions fihs\n                ^^^^\n",
        ),
        (&["completions"], "SHELL is missing\nusage: # completions <SHELL>\n"),
        (
            &["commands", "漢 字", "b"],
            "unexpected word \"b\"\n  # commands '漢 字' b\n                     ^\nusage: # commands [OPTIONS] [SOCK]\n",
        ),
        (&["list", "--all=3"], "--all takes no value\n  # list --all=3\n         ^^^^^^^\n"),
        (
            &["--color=red"],
            "invalid --color \"red\": expected one of auto, always, never\n  # --color=red\n    ^^^^^^^^^^^\n",
        ),
        (&["--timeout", "1s"], "no subcommand; see --help\n"),
    ];
    for (words, message) in cases {
        // The lines begin below the program's name.
        let name = "test-dockipc";
        let shift = |line: &str| {
            if line.trim_start().starts_with('^') {
                format!("{}{line}\n", " ".repeat(name.len() - 1))
            } else {
                format!("{}\n", line.replace('#', name))
            }
        };
        let message: String = message.lines().map(shift).collect();
        failed(&dockipc(words), 2, &format!("{name}: {message}"));
    }
}

#[test]
fn long_words_are_shortened_in_errors() {
    let (daemon, place) = (daemon(), Place::new());
    let path = daemon.path();
    let path = path.to_str().unwrap();
    // Linux limits a word to 128 KiB.
    let (long, at) = ("x".repeat(120_000), format!("@{}", "x".repeat(120_000)));
    let blanks = "x ".repeat(60_000);
    let cases: [&[&str]; 12] = [
        &["call", path, "add", &long],
        &["call", path, "add", "1", &long, "2"],
        &["call", path, "add", &blanks],
        &["call", path, "add", "1", "--unit", &long],
        &["call", path, &long],
        &["call", path, "add", &at],
        &["call", &long, "add"],
        &["call", "--timeout", &long],
        &["call", &format!("--{long}")],
        &["call", path, &format!("--{long}")],
        &["help", path, &long],
        &[&long, "add"],
    ];
    for words in cases {
        let ran = run(ctl::command(&ctl::named(&place, "hitd")).args(words), b"");
        assert_ne!(ran.code, Some(0));
        assert!(ran.err.contains('…'), "{}", ran.err);
        for line in ran.err.lines() {
            assert!(line.len() < 600, "{} bytes: {line}", line.len());
        }
    }
}

#[test]
fn subcommand_is_explained_by_help() {
    let (daemon, place) = (daemon(), Place::new());
    for name in ["call", "list", "help"] {
        let help = dockipc(["help", name]);
        assert_eq!(help, dockipc([name, "--help"]));
        assert!(help.code == Some(0) && help.text().contains("Usage: "), "{help:?}");
    }
    // A socket of such a name is given as an option or a path, or with a command.
    symlink(daemon.path(), place.directory().join("list")).unwrap();
    let named = |words: &[&str]| {
        run(ctl::command(&ctl::path()).env("XDG_RUNTIME_DIR", place.directory()).args(words), b"")
    };
    assert!(named(&["help", "list"]).text().contains("Usage: test-dockipc list"));
    assert!(named(&["help", "-s", "list"]).text().starts_with("add\t"));
    assert!(named(&["help", "list", "add"]).text().starts_with("Usage: add <n>"));
    let preset = |words: &[&str]| {
        run(ctl::command(&ctl::path()).env("DOCKIPC_SOCKET", daemon.path()).args(words), b"")
    };
    assert!(preset(&["help", "call"]).text().contains("Usage: dockipc call"));
    assert!(preset(&["help", "add"]).text().starts_with("Usage: add <n>"));
    let ran = preset(&["help", "hitd", "add"]);
    assert!(ran.code == Some(2) && ran.err.contains("unexpected word \"add\""), "{ran:?}");
}

#[test]
fn command_is_explained_by_its_help_option() {
    let (daemon, place) = (daemon(), Place::new());
    let path = daemon.path();
    let path = path.to_str().unwrap();
    let add = dockipc(["help", path, "add"]);
    let calls: [&[&str]; 4] = [
        &["call", path, "add", "--help"],
        &["call", path, "plus", "1", "--help", "x"],
        &[path, "add", "--help"],
        &["call", "--json", path, "add", "--times", "2", "--help"],
    ];
    for words in calls {
        assert_eq!(dockipc(words), add, "{words:?}");
    }
    let list = dockipc(["help", path, "list"]);
    assert_eq!(dockipc(["call", path, "list", "--help"]), list);
    // Where it can be a value, it is one, unless it is alone and `call` is left out.
    answered(&dockipc(["call", path, "bytes", "--help"]), b"--help\n");
    answered(&dockipc(["call", path, "open", "pw", "some", "--help"]), b"");
    let ran = dockipc(["call", path, "add", "1", "--unit", "--help"]);
    assert!(ran.code == Some(2) && ran.err.contains("bad value for --unit"), "{ran:?}");
    let ran = dockipc(["call", "--literal", path, "add", "--help"]);
    assert!(ran.code == Some(2) && ran.err.contains("unknown option --help"), "{ran:?}");
    assert!(dockipc([path, "bytes", "--help"]).text().starts_with("Usage: bytes <data>"));
    let ran = dockipc(["call", path, "ad", "--help"]);
    assert!(ran.code == Some(2) && ran.err.contains("did you mean add?"), "{ran:?}");
    let hitctl = ctl::named(&place, "hitctl");
    let ran =
        run(ctl::command(&hitctl).env("TEST_SOCKET", "/nowhere").args(["add", "--help"]), b"");
    let hint = "the help of a command comes from the daemon; hitctl --help needs none";
    failed(&ran, 3, &format!("hitctl: no socket at /nowhere: is the daemon running?\n{hint}\n"));
}

#[test]
fn options_of_call_precede_a_name() {
    let (daemon, place) = (daemon(), Place::new());
    let hitctl = ctl::named(&place, "hitctl");
    let own = |words: &[&str]| {
        run(ctl::command(&hitctl).env("TEST_SOCKET", daemon.path()).args(words), b"")
    };
    answered(&own(&["--json", "bytes", "x"]), b"\"x\"\n");
    answered(&own(&["--timeout", "5s", "--repeat=2", "add", "2"]), b"2\n2\n");
    let file = place.directory().join("out");
    answered(&own(&["-o", file.to_str().unwrap(), "add", "3"]), b"");
    assert_eq!(fs::read(file).unwrap(), b"3");
    answered(
        &run(ctl::command(&hitctl).env("TEST_SOCKET", daemon.path()).args(["-f", "-"]), b"add 4\n"),
        b"4\n",
    );
    assert!(own(&["add", "--help"]).text().starts_with("Usage: add <n>"));
    assert!(own(&["help", "call", "ping"]).text().starts_with("Usage: ping [<message>]"));
    let unknown = "unknown option --bogus; see --help\n  hitctl --bogus add\n         ^^^^^^^\n";
    failed(&own(&["--bogus", "add"]), 2, &format!("hitctl: {unknown}"));
    // A path that a command follows is a call too.
    answered(&dockipc(["--json", daemon.path().to_str().unwrap(), "bytes", "x"]), b"\"x\"\n");
}
