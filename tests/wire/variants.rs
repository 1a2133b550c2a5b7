//! Aliases and the case of a variant's word.

use dockipc::{Arg, FromReply, Handle, Reply, Server, command};
use tests::exchange;

#[derive(Arg, Reply, Debug, PartialEq)]
enum Signal {
    #[arg(alias = "int", alias = "2")]
    Interrupt,
    #[arg(name = "term", alias = "15")]
    Terminate,
    Hangup,
}

#[derive(Arg, Debug)]
#[arg(ignore_case)]
enum Level {
    Low,
    #[arg(alias = "TOP")]
    VeryHigh,
}

#[command("kill")]
fn kill(signal: Signal, #[arg(long)] level: Option<Level>, more: Vec<Signal>) -> String {
    format!("{signal:?} {level:?} {more:?}")
}

fn daemon() -> Handle {
    Server::new().spawn_in_process().unwrap()
}

fn ask(line: &str) -> String {
    let answer = exchange(daemon().connect().unwrap(), format!("{line}\n").as_bytes());
    String::from_utf8(answer).unwrap().trim_end().to_owned()
}

#[test]
fn alias_is_the_variant() {
    assert_eq!(ask("kill int 2 interrupt"), "Interrupt None [Interrupt, Interrupt]");
    assert_eq!(ask("kill 15 term hangup"), "Terminate None [Terminate, Hangup]");
    let refused = ask("kill INT");
    let why = "bad value for signal: \"INT\": expected one of interrupt, term, hangup; usage: ";
    assert!(refused.starts_with(&format!("-USAGE {why}")), "{refused}");
}

#[test]
fn word_without_case_is_the_variant() {
    for (word, level) in
        [("low", "Low"), ("LOW", "Low"), ("Very-High", "VeryHigh"), ("tOp", "VeryHigh")]
    {
        let answer = ask(&format!("kill 2 --level {word}"));
        assert_eq!(answer, format!("Interrupt Some({level}) []"));
    }
    assert!(ask("kill 2 --level lo").starts_with("-USAGE bad value for --level: \"lo\""));
}

#[test]
fn answer_with_an_alias_is_read() {
    let read = |word: &str| Signal::from_reply(Reply::bytes(word)).unwrap();
    assert_eq!([read("int"), read("2"), read("interrupt")], [const { Signal::Interrupt }; 3]);
}

#[test]
fn help_and_description_have_the_aliases() {
    let help = ask("help kill");
    let shown = "interrupt|term|hangup, int for interrupt, 2 for interrupt, 15 for term";
    assert!(help.contains(&format!("<signal>         {shown}\n")), "{help}");
    let daemon = daemon();
    let described: Reply =
        daemon.client().command("dockipc").arg("describe").arg("kill").call().unwrap();
    let pairs = [("int", "interrupt"), ("2", "interrupt"), ("15", "term")];
    let aliases = Reply::map(pairs.map(|(alias, word)| (alias, Reply::bytes(word))));
    let fields = format!("({:?}, {aliases:?})", Reply::bytes("aliases"));
    // Of the first argument, and of the list of the same type.
    assert_eq!(format!("{described:?}").matches(&fields).count(), 2);
}
