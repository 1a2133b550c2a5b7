//! Arguments of the client are never options, whatever their text.

use dockipc::{Client, Error, Reply, Request, Secret, Server, command};
use tests::{Daemon, resp};

/// Takes options and words.
#[command]
fn tagged(
    #[arg(long)] times: Option<u8>,
    #[arg(long)] tag: Vec<String>,
    #[arg(flag)] loud: bool,
    words: Vec<String>,
) -> String {
    format!("{times:?} {tag:?} {loud} {words:?}")
}

/// Takes words alone.
#[command]
fn plain(words: Vec<String>) -> String {
    format!("{words:?}")
}

/// Takes one word, and a secret one.
#[command]
fn pair(word: &str, second: Option<Secret<String>>) -> String {
    format!("{word:?} {:?}", second.map(|second| second.expose().clone()))
}

/// Takes the rest.
#[command]
fn told(#[arg(flag)] loud: bool, #[arg(rest)] text: &str) -> String {
    format!("{loud} {text:?}")
}

/// Takes the rest, without an option.
#[command]
fn said(#[arg(rest)] text: &str) -> String {
    format!("{text:?}")
}

/// Texts that could be taken for an option.
const TEXTS: [&str; 8] = ["--", "--loud", "--times", "--times=3", "--x", "-1", "", "a"];

fn daemon() -> Daemon {
    let mounted = |request: &Request<'_>| {
        let words = request.words().map(|word| String::from_utf8_lossy(word).into_owned());
        format!("{:?}", words.collect::<Vec<_>>())
    };
    Daemon::start(Server::new().handle("mounted", mounted).fallback(mounted))
}

#[test]
fn argument_is_never_an_option() {
    let daemon = daemon();
    let client = Client::new(daemon.path());
    let ask = |name: &str, words: &[&str]| -> String {
        let alone = client.command(name).args(words).call().unwrap();
        let mut pipeline = client.pipeline();
        pipeline.command(name, words).add(client.command(name).args(words));
        for answer in pipeline.call().unwrap() {
            assert_eq!(answer.parse::<String>().unwrap(), alone);
        }
        let mut copied = Vec::new();
        client.command(name).args(words).copy_to(&mut copied).unwrap();
        assert_eq!(String::from_utf8(copied).unwrap(), alone);
        alone
    };
    for first in TEXTS {
        assert_eq!(ask("pair", &[first]), format!("{first:?} None"));
        assert_eq!(ask("told", &[first]), format!("false {first:?}"));
        assert_eq!(ask("said", &[first]), format!("{first:?}"));
        assert_eq!(ask("echo", &[first]), first);
        for second in TEXTS {
            let words = format!("{:?}", [first, second]);
            for name in ["plain", "mounted", "unknown"] {
                assert_eq!(ask(name, &[first, second]), words);
            }
            assert_eq!(ask("tagged", &[first, second]), format!("None [] false {words}"));
            assert_eq!(ask("pair", &[first, second]), format!("{first:?} Some({second:?})"));
            assert_eq!(ask("said", &[first, second]), format!("{:?}", format!("{first} {second}")));
        }
    }
}

#[test]
fn options_and_arguments_go_in_any_order() {
    let daemon = daemon();
    let client = Client::new(daemon.path());
    let call = || client.command("tagged");
    let expected = r#"Some(3) ["--b", "-"] true ["--loud", "a"]"#;
    for call in [
        call()
            .arg("--loud")
            .arg("a")
            .option("times", 3)
            .flag("loud")
            .option("tag", "--b")
            .option("tag", "-"),
        call()
            .option("tag", "--b")
            .arg("--loud")
            .flag("loud")
            .option("tag", "-")
            .option("times", 3)
            .arg("a"),
        call()
            .flag("--loud")
            .words(["--tag=--b", "--tag", "-"])
            .args(["--loud", "a"])
            .option("--times", "3"),
        call()
            .words(["--loud"])
            .args(Some("--loud"))
            .option("tag", Some("--b"))
            .arg(Some("a"))
            .option("times", 3)
            .option("tag", "-")
            .option("none", None::<u8>),
    ] {
        let mut pipeline = client.pipeline();
        pipeline.add(call.clone());
        assert_eq!(pipeline.call().unwrap(), [Reply::bytes(expected)]);
        assert_eq!(call.call::<String>().unwrap(), expected);
    }
    // A person's words are taken as they are.
    let typed = call().words(["--times", "1", "x", "--", "--loud"]).call::<String>().unwrap();
    assert_eq!(typed, r#"Some(1) [] false ["x", "--loud"]"#);
    // Their `--` is the end of the options, also for what is added later, unless it may be an option's value.
    let expected = r#"Some(1) ["--"] true ["--a", "--x"]"#;
    for call in [
        call()
            .words(["--times", "1", "--tag", "--", "--", "--a"])
            .arg("--x")
            .option("times", 1)
            .flag("loud"),
        call()
            .flag("loud")
            .arg("--x")
            .option("tag", "--")
            .words(["--times=1", "--", "--a"])
            .option("times", 1),
        call().flag("loud").words(["--times=1", "--tag", "--"]).args(["--a", "--x"]),
    ] {
        assert_eq!(call.call::<String>().unwrap(), expected);
    }
    for call in [
        client.command("plain").words(["--", "--a"]).arg("--x"),
        client.command("plain").arg("--x").words(["--", "--a"]),
        client.command("plain").args(["--a", "--x"]),
    ] {
        assert_eq!(call.call::<String>().unwrap(), r#"["--a", "--x"]"#);
    }
    let secret = Secret::new("--secret".to_owned());
    let pair = client.command("pair").arg("--x").arg(&secret).call::<String>().unwrap();
    assert_eq!(pair, r#""--x" Some("--secret")"#);
    // Also to a command without options, which would take it for its text.
    for (call, why) in [
        (client.command("plain").option("times", 1), "unknown option --times"),
        (client.command("said").arg("x").flag("loud"), "unknown option --loud"),
        (call().option("nothing", 1), "unknown option --nothing"),
        (call().option("nothing", 1).arg("--"), "unknown option --nothing"),
        (client.command("pair").flag("loud").arg("--x").arg("y"), "unknown option"),
    ] {
        let Err(Error::Refused(failure)) = call.call::<String>() else { panic!("{why}") };
        assert!(failure.message().contains(why), "{failure:?}");
    }
}

#[test]
fn leading_end_of_options_is_no_word() {
    let daemon = daemon();
    let client = Client::new(daemon.path());
    for (line, expected) in [
        ("plain -- a --b", r#"["a", "--b"]"#),
        ("plain '--' a", r#"["a"]"#),
        ("plain -- --", r#"["--"]"#),
        // Only in front of the words, if there are no options.
        ("plain a -- b", r#"["a", "--", "b"]"#),
        ("plain --", "[]"),
        ("plain --a ---", r#"["--a", "---"]"#),
        ("tagged a -- b -- --", r#"None [] false ["a", "b", "--", "--"]"#),
        ("pair -- --x", r#""--x" None"#),
        ("said -- --x -- y", r#""--x -- y""#),
        ("said a -- y", r#""a -- y""#),
        ("said --x -- y", r#""--x -- y""#),
        ("told -- --loud -- y", r#"false "--loud -- y""#),
        // Words that are not declared are raw.
        ("mounted -- a", r#"["--", "a"]"#),
        ("echo --", "--"),
    ] {
        let words: Vec<&str> = line.split(' ').map(|word| word.trim_matches('\'')).collect();
        let resp = client.command(words[0]).words(&words[1..]).call::<String>().unwrap();
        assert_eq!(resp, expected, "{line}");
        assert_eq!(client.send(line).unwrap(), expected.as_bytes(), "{line}");
    }
    // One word of RESP.
    assert_eq!(
        client.command("said").words(["-- a", "b"]).call::<String>().unwrap(),
        r#""-- a b""#
    );
    assert_eq!(client.command("plain").words(["-- a"]).call::<String>().unwrap(), r#"["-- a"]"#);
}

#[test]
fn dockipc_args_takes_the_first_end_of_options() {
    let daemon = daemon();
    let answer = |words: &[&str]| {
        let mut stream = daemon.connect();
        std::io::Write::write_all(&mut stream, &[resp(words), resp(&["quit"])].concat()).unwrap();
        let all = String::from_utf8(tests::rest(stream)).unwrap();
        all.strip_suffix("+OK\r\n").unwrap().to_owned()
    };
    let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
    for (words, expected) in [
        (&["DOCKIPC", "ARGS", "plain", "a", "b"][..], r#"["a", "b"]"#),
        (&["dockipc", "Args", "plain", "--", "--", "b"], r#"["--", "b"]"#),
        (&["dockipc", "args", "mounted", "a", "--", "b", "--"], r#"["a", "b", "--"]"#),
        (&["dockipc", "args", "said", "--", "--", "b"], r#""-- b""#),
        (&["dockipc", "args", "dockipc", "args", "plain"], ""),
        (&["dockipc", "args"], ""),
    ] {
        let answer = answer(words);
        if expected.is_empty() {
            assert!(answer.starts_with("-USAGE usage: dockipc complete"), "{answer}");
        } else {
            assert_eq!(answer, bulk(expected), "{words:?}");
        }
    }
}
