//! Short options, names of parameters, and the words behind `--`.

use std::ffi::OsString;

use dockipc::client::Way;
use dockipc::{Client, Handle, Server, command};
use tests::{exchange, resp};

/// Print some words.
#[command("print")]
fn print(
    /// How often.
    #[arg(short, long, default = 1)]
    times: u8,
    #[arg(short, flag)] verbose: bool,
    #[arg(short = 'X', flag = "extra")] more: bool,
    #[arg(short = 'T', name = "label")] tags: Vec<String>,
    #[arg(name = "word")] words: Vec<String>,
) -> String {
    format!("{times} {verbose} {more} {tags:?} {words:?}")
}

#[command("sum")]
fn sum(#[arg(short = 'a', flag)] absolute: bool, numbers: Vec<i64>) -> String {
    format!("{absolute} {}", numbers.iter().sum::<i64>())
}

#[command("note")]
fn note(#[arg(short, flag)] quiet: bool, #[arg(rest)] text: &str) -> String {
    format!("{quiet} {text}")
}

/// Run a program.
#[command("run")]
fn run(
    #[arg(short, long)] label: Option<&str>,
    place: Option<&str>,
    #[arg(last, min = 1)] command: Vec<Vec<u8>>,
) -> String {
    let command: Vec<_> = command.iter().map(|word| word.escape_ascii().to_string()).collect();
    format!("{label:?} {place:?} {command:?}")
}

#[command("then")]
fn then(words: Vec<&str>, #[arg(last)] command: Vec<OsString>) -> String {
    format!("{words:?} {command:?}")
}

#[command("borrowed")]
fn borrowed(#[arg(last, max = 2, max_len = 3)] command: Vec<&[u8]>) -> usize {
    command.len()
}

fn daemon() -> Handle {
    Server::new().spawn_in_process().unwrap()
}

fn ask(daemon: &Handle, line: &str) -> String {
    let answer = exchange(daemon.connect().unwrap(), format!("{line}\n").as_bytes());
    String::from_utf8(answer).unwrap().trim_end().to_owned()
}

#[track_caller]
fn check(cases: &[(&str, &str)]) {
    let daemon = daemon();
    for (line, expected) in cases {
        assert_eq!(ask(&daemon, line), *expected, "{line}");
        let words: Vec<_> = line.split(' ').collect();
        let framed = exchange(daemon.connect().unwrap(), &resp(&words));
        let framed = String::from_utf8(framed).unwrap();
        assert!(framed.trim_end().ends_with(expected), "{line}: {framed}");
    }
}

#[track_caller]
fn refused(cases: &[(&str, &str)]) {
    let daemon = daemon();
    for (line, reason) in cases {
        let answer = ask(&daemon, line);
        assert!(answer.starts_with(&format!("-USAGE {reason}; usage: ")), "{line}\n{answer}");
    }
}

#[test]
fn short_option_is_the_long_one() {
    check(&[
        ("print -t 3 a", "3 false false [] [\"a\"]"),
        ("print -t3 a", "3 false false [] [\"a\"]"),
        ("print a -v", "1 true false [] [\"a\"]"),
        ("print -vX", "1 true true [] []"),
        ("print -vXt3 a", "3 true true [] [\"a\"]"),
        ("print -vXt 3 a", "3 true true [] [\"a\"]"),
        ("print -T x -Ty --label=z", "1 false false [\"x\", \"y\", \"z\"] []"),
        // The value is all that follows, as POSIX has it.
        ("print -T=x", "1 false false [\"=x\"] []"),
        ("print -T -v", "1 false false [\"-v\"] []"),
        ("print -- -v", "1 false false [] [\"-v\"]"),
        ("print - -5 a", "1 false false [] [\"-\", \"-5\", \"a\"]"),
        ("sum -a -5 -6 2", "true -9"),
        ("note -q -5 degrees -q", "true -5 degrees -q"),
        ("note -- -q text", "false -q text"),
    ]);
    refused(&[
        ("print -x", "unknown option -x; write -- in front of words that begin with -"),
        ("print -vx", "unknown option -x in \"-vx\"; write -- in front of words that begin with -"),
        ("print -t", "--times needs a value"),
        ("print -t300", "bad value for --times: \"300\": expected an integer from 0 to 255"),
    ]);
}

#[test]
fn words_behind_dashes_are_kept() {
    check(&[
        ("run -- ls -l", "None None [\"ls\", \"-l\"]"),
        (
            "run -lx here -- --label -- -l",
            "Some(\"x\") Some(\"here\") [\"--label\", \"--\", \"-l\"]",
        ),
        ("then a b -- c", "[\"a\", \"b\"] [\"c\"]"),
        ("then a --", "[\"a\"] []"),
        ("then -- -a --", "[] [\"-a\", \"--\"]"),
        ("borrowed -- a b", "2"),
    ]);
    refused(&[
        ("run", "command is missing"),
        ("run --", "command is missing"),
        ("run a b -- c", "unexpected word \"b\""),
        ("then --x", "unknown option --x"),
        ("borrowed a", "unexpected word \"a\""),
        ("borrowed -- a b c", "too many values for command: 3: expected at most 2 values"),
        ("borrowed -- a long", "bad value for command: \"long\": expected at most 3 bytes"),
    ]);
}

#[test]
fn client_sends_the_bytes_behind_dashes() {
    let daemon = daemon();
    let client: Client = daemon.client();
    let words = [&b"a b"[..], b"--", b"\xff\0\n", b"", b"-x"];
    let expected = r#"["a b", "--", "\\xff\\x00\\n", "", "-x"]"#;
    let call = client.command("run").option("label", "-l").last(words).arg("-place");
    let answer: String = call.call().unwrap();
    assert_eq!(answer, format!("Some(\"-l\") Some(\"-place\") {expected}"));
    let call = client.command("run").give(&"here", Way::Position).give(&words, Way::Last);
    let answer: String = call.give(&Some("x"), Way::Long("label")).call().unwrap();
    assert_eq!(answer, format!("Some(\"x\") Some(\"here\") {expected}"));
    // The words of a person, as the program sends them.
    let answer: String = client.command("then").words(["a", "--", "b", "--"]).call().unwrap();
    assert_eq!(answer, "[\"a\"] [\"b\", \"--\"]");
    let answer: String = client.command("then").args(["--", "-x"]).call().unwrap();
    assert_eq!(answer, "[\"--\", \"-x\"] []");
}

#[test]
fn client_argument_is_no_short_option() {
    let daemon = daemon();
    let answer: String = daemon.client().command("print").args(["-v", "-5", "-"]).call().unwrap();
    assert_eq!(answer, "1 false false [] [\"-v\", \"-5\", \"-\"]");
}

#[test]
fn help_and_description_have_the_names() {
    let daemon = daemon();
    let print = ask(&daemon, "help print");
    let usage =
        "print [-t|--times <times>] [-v|--verbose] [-X|--extra] [-T|--label <label>]… [<word>…]\n";
    assert!(print.starts_with(usage), "{print}");
    assert!(print.contains("  -t, --times <times>  How often; integer; default 1\n"), "{print}");
    assert!(print.contains("  -v, --verbose"), "{print}");
    assert!(print.contains("  <word>"), "{print}");
    let run = ask(&daemon, "help run");
    assert!(run.starts_with("run [-l|--label <label>] [<place>] -- <command>…\n"), "{run}");
    assert!(run.contains("  -- <command>         bytes, at least 1 value"), "{run}");
    assert!(ask(&daemon, "help then").starts_with("then [<words>…] [-- <command>…]\n"));
    let describe = ask(&daemon, "dockipc describe print run");
    for part in ["short\t-t\\n", "short\t-X", "kind\tlast"] {
        let part = part.trim_end_matches("\\n");
        assert!(describe.replace("\\t", "\t").contains(part), "{part}\n{describe}");
    }
}
