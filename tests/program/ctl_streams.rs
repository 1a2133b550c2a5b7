//! `call` with streams and bodies.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};

use dockipc::{Body, Failure, Progress, Reply, Server, State, Stream, command};
use rustix::process::{Pid, Signal, kill_process};
use tests::Daemon;
use tests::ctl::{self, Ran, run};
use tests::gate::Gate;
use tests::process::until;
use tests::terminal::Terminal;

/// Send one line, wait, and send another; or fail.
#[command]
fn ticks(gate: State<Gate>, fail: Option<bool>) -> Stream<(String, u64)> {
    Stream::new(move |sink| {
        sink.send(("one\ttab".into(), 1))?;
        gate.pass();
        sink.send(("two".into(), 2))?;
        if fail == Some(true) { Err(Failure::new("BROKEN", "in the end")) } else { Ok(()) }
    })
}

/// Answer with as many texts as were asked for.
#[command]
fn texts(count: usize) -> Stream<String> {
    Stream::iter((0..count).map(|i| format!("text {i}")))
}

#[derive(Reply)]
#[dockipc(table)]
struct Row {
    id: u64,
    text: Option<String>,
}

/// Answer with rows.
#[command]
fn rows(count: u64) -> Stream<Row> {
    let text = |id| (id % 2 == 1).then(|| format!("{id}\t\\\n"));
    Stream::iter((0..count).map(move |id| Row { id, text: text(id) }))
}

/// Answer with the number of the rows, and with the bytes of their texts.
#[command]
fn import_rows(
    /// The rows.
    rows: Body<Row>,
) -> Result<(u64, usize), Failure> {
    let (mut ids, mut texts) = (0, 0);
    for row in rows {
        let row = row?;
        assert_eq!(row.id, ids);
        ids += 1;
        texts += row.text.map_or(0, |text| text.len());
    }
    Ok((ids, texts))
}

#[derive(Reply)]
#[dockipc(table)]
struct Place {
    at: Option<(u8, u8)>,
    tags: Vec<String>,
}

/// Answer with places.
#[command]
fn places() -> Stream<Place> {
    let place =
        |at, tags: &[&str]| Place { at, tags: tags.iter().map(ToString::to_string).collect() };
    Stream::iter([place(Some((1, 2)), &[]), place(None, &["a, b", "c"])])
}

/// Answer with the places.
#[command]
fn import_places(places: Body<Place>) -> Result<Vec<String>, Failure> {
    places.map(|place| place.map(|Place { at, tags }| format!("{at:?} {tags:?}"))).collect()
}

/// Answer with the number of the texts.
#[command]
fn import_texts(texts: Body<String>) -> Result<usize, Failure> {
    texts.map(|text| text.map(drop)).try_fold(0, |count, text| text.map(|()| count + 1))
}

/// Repeat a word.
#[command]
fn repeat_word(word: String) -> String {
    format!("{word}{word}")
}

/// Report progress, and wait.
#[command]
fn index(progress: Progress, gate: State<Gate>) -> u64 {
    progress.say("reading");
    progress.set(3, 10);
    gate.pass();
    7
}

fn start() -> (Daemon, Gate) {
    let gate = Gate::default();
    (Daemon::start(Server::new().state(gate.clone())), gate)
}

/// Runs `call` with these words behind the socket.
fn call(daemon: &Daemon, options: &[&str], words: &[&str], input: &[u8]) -> Ran {
    let mut command = ctl::command(&ctl::path());
    run(command.arg("call").args(options).arg(daemon.path()).args(words), input)
}

fn begin(daemon: &Daemon, words: &[&str]) -> Child {
    let mut command = ctl::command(&ctl::path());
    command.arg("call").arg(daemon.path()).args(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn rows_of_a_stream_are_printed_as_they_arrive() {
    let (daemon, gate) = start();
    let mut child = begin(&daemon, &["ticks"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "one\\ttab\t1");
    gate.open();
    assert_eq!(lines.next().unwrap().unwrap(), "two\t2");
    assert!(lines.next().is_none());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let ran = call(&daemon, &[], &["ticks", "true"], b"");
    assert_eq!((ran.code, &*ran.text()), (Some(1), "one\\ttab\t1\ntwo\t2\n"));
    assert!(ran.err.contains("BROKEN in the end"), "{}", ran.err);
}

#[test]
fn stream_is_a_list_in_json() {
    let (daemon, gate) = start();
    gate.open();
    let json = call(&daemon, &["--json"], &["ticks"], b"");
    let value: serde_json::Value = serde_json::from_slice(&json.out).unwrap();
    assert_eq!(value, serde_json::json!([["one\ttab", 1], ["two", 2]]));
    let lines = call(&daemon, &["--json=line"], &["texts", "3"], b"");
    assert_eq!(lines.text(), "\"text 0\"\n\"text 1\"\n\"text 2\"\n");
    assert_eq!(call(&daemon, &[], &["texts", "0"], b"").text(), "");
}

#[test]
fn empty_stream_is_an_empty_list_in_json() {
    let (daemon, _) = start();
    let ran = call(&daemon, &["--json"], &["texts", "0"], b"");
    assert_eq!(ran.text(), "[]\n");
}

#[test]
fn interrupt_cancels_a_stream() {
    let (daemon, gate) = start();
    let mut child = begin(&daemon, &["ticks"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().is_some());
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::INT.as_raw()));
    gate.open();
}

#[test]
fn dash_sends_standard_input_as_the_body() {
    let (daemon, _gate) = start();
    // Not a text, so that no newline is added.
    let input = vec![0xff; 3_000_000];
    let ran = call(&daemon, &[], &["sum", "-"], &input);
    assert_eq!((ran.code, &*ran.text(), &*ran.err), (Some(0), "765000000\n", ""));
    let back = call(&daemon, &[], &["back", "-"], &input);
    assert!(back.out == input, "{} bytes", back.out.len());
    // For other commands it is the argument.
    assert_eq!(call(&daemon, &[], &["repeat-word", "-"], b"ab").text(), "abab\n");
    assert_eq!(call(&daemon, &["--literal"], &["repeat-word", "-"], b"").text(), "--\n");
    let without = call(&daemon, &[], &["sum"], b"");
    assert!(without.err.contains("`-` as the last word sends standard input"), "{}", without.err);
    let twice = call(&daemon, &["--repeat=2"], &["sum", "-"], b"ab");
    assert_eq!(twice.code, Some(2), "{}", twice.err);
}

#[test]
fn stream_of_one_call_is_the_items_of_another() {
    let (daemon, _gate) = start();
    let (other, _gate) = start();
    let rows = call(&daemon, &[], &["rows", "20000"], b"");
    assert!(rows.text().starts_with("id\ttext\n0\t\n1\t1\\t\\\\\\n\n"), "{}", &rows.text()[..40]);
    let (ids, texts) = (20_000, (0..20_000).step_by(2).map(|id| format!("{}\t\\\n", id + 1).len()));
    let imported = call(&other, &[], &["import-rows", "-"], &rows.out);
    let counted = format!("{ids}\n{}\n", texts.sum::<usize>());
    assert_eq!((imported.text(), &*imported.err), (counted, ""));
    let places = call(&daemon, &[], &["places"], b"");
    assert_eq!(places.text(), "at\t\ttags\n1\t2\n\t\ta, b\tc\n");
    let imported = call(&other, &[], &["import-places", "-"], &places.out);
    assert_eq!(imported.text(), "Some((1, 2)) []\nNone [\"a, b\", \"c\"]\n");
    // At the same time, through a pipe.
    let mut first = begin(&daemon, &["texts", "30000"]);
    let mut second = ctl::command(&ctl::path());
    second.arg("call").arg(other.path()).args(["import-texts", "-"]);
    second.stdin(first.stdout.take().unwrap());
    let output = second.output().unwrap();
    assert_eq!(output.stdout, b"30000\n");
    assert!(first.wait().unwrap().success());
    let cut = call(&other, &[], &["import-rows", "-"], &rows.out[..rows.out.len() - 1]);
    assert_eq!(cut.code, Some(1), "{}", cut.err);
    assert!(cut.err.contains("item 20000 is cut off: its line has no newline"), "{}", cut.err);
    let bad = call(&other, &[], &["import-rows", "-"], b"id\ttext\nx\ty\n");
    assert!(bad.err.contains("bad item 1: expected u64, got \"x\" in `id`"), "{}", bad.err);
    let mut help = ctl::command(&ctl::path());
    let help = run(help.arg("help").arg(other.path()).arg("import-rows"), b"");
    assert!(help.text().contains("<rows>  The rows. [items of Row]"), "{help:?}");
}

#[test]
fn early_answer_ends_a_call_whose_input_goes_on() {
    let (daemon, _gate) = start();
    let mut child = begin(&daemon, &["first", "-"]);
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"a").unwrap();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(out, "97\n");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    drop(input);
}

#[test]
fn interrupt_cancels_an_upload_that_waits_for_input() {
    let (daemon, _gate) = start();
    let mut child = begin(&daemon, &["sum", "-"]);
    // `wait_with_output` would close it.
    let _input = child.stdin.take();
    until("the call", || daemon.handle().client().send("dockipc running").unwrap().contains(&b's'));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(Signal::INT.as_raw()));
}

#[test]
fn progress_is_not_printed_in_a_pipe() {
    let (daemon, gate) = start();
    gate.open();
    let ran = call(&daemon, &[], &["index"], b"");
    assert_eq!((ran.code, &*ran.text(), &*ran.err), (Some(0), "7\n", ""));
}

#[test]
fn progress_is_a_bar_on_a_terminal() {
    let (daemon, gate) = start();
    let (program, socket) = (ctl::path(), daemon.path());
    let words = [program.as_os_str(), "call".as_ref(), socket.as_os_str(), "index".as_ref()];
    let Some(terminal) = Terminal::open(words, &[]) else { return };
    until("a bar", || {
        let screen = terminal.screen();
        screen.contains("reading [============") && screen.contains("] 3/10")
    });
    gate.open();
    assert_eq!(terminal.exit(), 0);
    let screen = terminal.screen();
    assert!(screen.starts_with("7\n") && !screen.contains("3/10"), "{screen}");
}
