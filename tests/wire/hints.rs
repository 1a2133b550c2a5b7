//! Hints in the messages about wrong words.

use std::sync::atomic::AtomicU64;

use dockipc::{Secret, Server, command};
use tests::{Daemon, exchange, resp};

#[command("kill")]
fn kill(#[arg(long)] signal: Option<&str>, ids: Vec<u64>) -> usize {
    ids.len() + usize::from(signal.is_some())
}

#[command("group")]
fn group() {}

#[command("group-add", alias = "group-put")]
fn group_add(name: &str) -> usize {
    name.len()
}

#[command("group-drop", allow = "uid:4294967294")]
fn group_drop() {}

#[command("user.add")]
fn user_add(name: &str) -> usize {
    name.len()
}

#[command("login")]
fn login(_password: Secret<String>) {}

#[command("login-as")]
fn login_as(_name: &str) {}

fn daemon() -> Daemon {
    // Another file of this program has a command with this state.
    Daemon::start(Server::new().state(AtomicU64::new(0)))
}

#[track_caller]
fn answers(line: &str, answer: &str) {
    let daemon = daemon();
    let ask = |bytes: &[u8]| String::from_utf8(exchange(daemon.connect(), bytes)).unwrap();
    assert_eq!(ask(format!("{line}\n").as_bytes()), answer, "{line}");
    let words: Vec<_> = line.split(' ').collect();
    assert_eq!(ask(&resp(&words)).replace('\r', ""), answer, "{line}");
}

#[test]
fn short_option_gets_the_long_one() {
    let usage = "usage: kill [--signal <signal>] [<ids>…]";
    let integer = "expected an integer from 0 to 18446744073709551615";
    let none = "there are no short options";
    for word in ["-s", "-signal"] {
        let why =
            format!("bad value for ids: \"{word}\": {integer}; {none}, did you mean --signal?");
        answers(&format!("kill {word} int 0"), &format!("-USAGE {why}; {usage}\n"));
    }
    let why = format!("bad value for ids: \"-x\": {integer}; {none}");
    answers("kill -x", &format!("-USAGE {why}; {usage}\n"));
    let why = format!("bad value for ids: \"-1\": {integer}");
    answers("kill -1", &format!("-USAGE {why}; {usage}\n"));
    let why = format!("unexpected word \"-v\"; {none}");
    answers("group -v", &format!("-USAGE {why}; usage: group\n"));
}

#[test]
fn option_of_a_command_without_options_is_named() {
    let why = "unexpected word \"bob\"; there is no option --name";
    answers("user.add --name bob", &format!("-USAGE {why}; usage: user.add <name>\n"));
    answers("login --as bob", "-USAGE unexpected word; usage: login <password>\n");
}

#[test]
fn name_as_two_words_gets_the_one() {
    answers(
        "group add x",
        "-USAGE unexpected word \"add\"; did you mean group-add?; usage: group\n",
    );
    answers("GROUP Add", "-USAGE unexpected word \"Add\"; did you mean group-add?; usage: group\n");
    // An alias, a command of others, and a secret are not shown.
    answers("group put x", "-USAGE unexpected word \"put\"; usage: group\n");
    answers("group drop", "-USAGE unexpected word \"drop\"; usage: group\n");
    answers("login as bob", "-USAGE unexpected word; usage: login <password>\n");
    answers("user add bob", "-UNKNOWN no command \"user\"; did you mean user.add?\n");
    let unclosed = daemon().ask("user 'add\n");
    assert_eq!(unclosed, "-UNKNOWN no command \\\"user\\\"; send help for a list\\n");
}

#[test]
fn builtin_names_the_word_too_many() {
    answers("echo a b", "-USAGE unexpected word \"b\"; usage: echo <message>\n");
    answers("ping a b", "-USAGE unexpected word \"b\"; usage: ping [<message>]\n");
}
