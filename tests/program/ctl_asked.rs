//! The program `dockipc` and a command's description.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::thread::JoinHandle;

use tests::ctl::{self, Ran, run};
use tests::scripted::{
    DOCKIPC_GREETING, argument, command, describe, description, handshake, list, map, scripted,
    text,
};
use tests::terminal::Terminal;
use tests::{Place, expect, resp};

/// Describes the command that is asked for with these names, and answers it if these words come. With
/// `is_apart`, they come in a connection of their own.
fn daemon(
    place: &Place,
    names: &[&'static str],
    described: Vec<u8>,
    is_apart: bool,
    words: Vec<String>,
    answer: &'static [u8],
) -> JoinHandle<()> {
    let names = names.to_vec();
    scripted(place, move |accept| {
        let mut stream = accept();
        expect(&mut stream, &handshake());
        stream.write_all(DOCKIPC_GREETING).unwrap();
        describe(&mut stream, &names, &map(&[(names[0], described)]));
        if is_apart {
            stream = accept();
            expect(&mut stream, &handshake());
            stream.write_all(DOCKIPC_GREETING).unwrap();
        }
        let words: Vec<_> = words.iter().map(|word| &**word).collect();
        expect(&mut stream, &resp(&words));
        stream.write_all(answer).unwrap();
    })
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Runs a call in the directory of `place`.
fn call(place: &Place, options: &[&str], words: &[&str]) -> Ran {
    let mut command = ctl::command(&ctl::path());
    command.current_dir(place.directory()).env("DOCKIPC_SOCKET", place.socket());
    run(command.arg("call").args(options).args(words), b"")
}

#[track_caller]
fn answered(ran: &Ran, out: &str) {
    assert_eq!((ran.code, &*ran.err, &*ran.text()), (Some(0), "", out));
}

#[test]
fn relative_path_becomes_absolute() {
    let place = Place::new();
    let with_absolute = |texts: &[(&str, &str)]| argument(&[texts, &[("absolute", "1")]].concat());
    let described = command(
        &[
            with_absolute(&[("name", "file"), ("kind", "positional")]),
            with_absolute(&[("name", "to"), ("kind", "option"), ("flag", "--to"), ("short", "-t")]),
        ],
        &[],
    );
    let here = place.directory().canonicalize().unwrap().display().to_string();
    for (typed, sent) in [
        (&["copy", "a/b"][..], vec!["copy".to_owned(), format!("{here}/a/b")]),
        (&["copy", "/a", "--to=./b"], vec!["copy".into(), "/a".into(), format!("--to={here}/b")]),
        (
            &["copy", "/a", "-t", "b"],
            vec!["copy".into(), "/a".into(), "-t".into(), format!("{here}/b")],
        ),
    ] {
        let place = Place::new();
        let server = daemon(&place, &["copy"], described.clone(), false, sent, b"+OK\r\n");
        let mut command = ctl::command(&ctl::path());
        command.current_dir(&here).env("DOCKIPC_SOCKET", place.socket());
        answered(&run(command.arg("call").args(typed), b""), "");
        server.join().unwrap();
    }
}

#[test]
fn directory_and_environment_are_filled_in() {
    let described = description(&[("cwd", "cwd"), ("env", "env"), ("mood", "mood")]);
    let run_in = |place: &Place, typed: &[&str]| {
        let mut command = Command::new(ctl::path());
        command.env_clear().env("A", "1").env("B", "two words");
        command.env("DOCKIPC_SOCKET", place.socket()).env("DOCKIPC_TOKEN", "");
        run(command.current_dir("/").arg("call").args(typed), b"")
    };
    let place = Place::new();
    let socket = format!("--env=DOCKIPC_SOCKET={}", place.socket().display());
    let sent = words(&["add", "--cwd=/", "--env=A=1", "--env=B=two words", &socket, "--", "1"]);
    let server = daemon(&place, &["add"], described.clone(), true, sent, b":7\r\n");
    answered(&run_in(&place, &["add", "--", "1"]), "7\n");
    server.join().unwrap();
    // What is given is not filled in.
    let place = Place::new();
    let given = ["add", "--env=C=3", "--cwd", "/tmp"];
    let server = daemon(&place, &["add"], described, false, words(&given), b":7\r\n");
    answered(&run_in(&place, &given), "7\n");
    server.join().unwrap();
}

#[test]
fn line_of_a_file_is_filled_in_and_keeps_its_rest() {
    let place = Place::new();
    let rest = argument(&[("name", "text"), ("kind", "rest")]);
    let cwd =
        argument(&[("name", "cwd"), ("kind", "option"), ("flag", "--cwd"), ("caller", "cwd")]);
    let described = command(&[cwd, rest], &[]);
    let sent = words(&["dockipc", "line", "add --cwd=/ echo  'a b'"]);
    let server = daemon(&place, &["add", "add echo"], described, false, sent, b"$1\r\n1\r\n");
    let mut command = ctl::command(&ctl::path());
    command.current_dir("/").env("DOCKIPC_SOCKET", place.socket()).args(["call", "-f", "-"]);
    answered(&run(&mut command, b"add echo  'a b'\n"), "1\n");
    server.join().unwrap();
}

#[test]
fn deprecated_command_gets_a_warning() {
    for (options, warning) in
        [(&[][..], "test-dockipc: warning: \"old\" is deprecated: use new\n"), (&["--quiet"], "")]
    {
        let place = Place::new();
        let described = command(&[], &[("deprecated", text("use new"))]);
        let server = daemon(&place, &["old"], described, false, words(&["old"]), b":7\r\n");
        let ran = call(&place, options, &["old"]);
        assert_eq!((ran.code, &*ran.err, &*ran.text()), (Some(0), warning, "7\n"));
        server.join().unwrap();
    }
}

#[test]
fn dry_run_asks_the_daemon_to_check() {
    let place = Place::new();
    let sent = words(&["dockipc", "check", "group", "add", "ops"]);
    let names = ["group", "group add"];
    let described = command(&[], &[]);
    let server = daemon(&place, &names, described, false, sent, b"$9\r\nwould run\r\n");
    answered(&call(&place, &["--dry-run"], &["group", "add", "ops"]), "would run\n");
    server.join().unwrap();
}

/// Describes a command that answers a list of jobs.
fn jobs(is_table: bool) -> Vec<u8> {
    let ty = |name| map(&[("type", text(name))]);
    let int = map(&[("type", text("int")), ("min", text("0")), ("max", text("9"))]);
    let field = |name, of| map(&[("name", text(name)), ("of", of)]);
    let fields = list(&[field("id", int), field("state", ty("text")), field("end", ty("float"))]);
    let mut job = vec![("type", text("struct")), ("name", text("Job")), ("fields", fields)];
    if is_table {
        job.push(("table", b":1\r\n".to_vec()));
    }
    let answer = map(&[("type", text("list")), ("of", map(&job))]);
    command(&[], &[("answer", answer)])
}

const JOBS: &[u8] = b"*2\r\n\
    %2\r\n$2\r\nid\r\n:7\r\n$5\r\nstate\r\n$4\r\na\tbc\r\n\
    %3\r\n$5\r\nstate\r\n$4\r\ndone\r\n$2\r\nid\r\n:12\r\n$3\r\nend\r\n,1.5\r\n";

#[test]
fn list_of_structs_is_a_table_with_a_header() {
    let place = Place::new();
    let server = daemon(&place, &["jobs"], jobs(true), false, words(&["jobs"]), JOBS);
    answered(&call(&place, &[], &["jobs"]), "id\tstate\tend\n7\ta\\tbc\t\n12\tdone\t1.5\n");
    server.join().unwrap();
    // Without the author's wish, a program reads the rows of line mode.
    let place = Place::new();
    let server = daemon(&place, &["jobs"], jobs(false), false, words(&["jobs"]), JOBS);
    let rows = "id\t7\tstate\ta\\tbc\nstate\tdone\tid\t12\tend\t1.5\n";
    answered(&call(&place, &[], &["jobs"]), rows);
    server.join().unwrap();
    let place = Place::new();
    let server = daemon(&place, &["jobs"], jobs(true), false, words(&["jobs"]), JOBS);
    let ran = call(&place, &["--json=line"], &["jobs"]);
    answered(&ran, "{\"id\":7,\"state\":\"a\\tbc\"}\n{\"state\":\"done\",\"id\":12,\"end\":1.5}\n");
    server.join().unwrap();
}

#[test]
fn list_of_structs_is_aligned_on_a_terminal() {
    let place = Place::new();
    // In a terminal, the call can be cancelled, and shows progress.
    let server = scripted(&place, |accept| {
        let mut stream = accept();
        expect(&mut stream, &handshake());
        stream.write_all(DOCKIPC_GREETING).unwrap();
        describe(&mut stream, &["jobs"], &map(&[("jobs", jobs(false))]));
        expect(&mut stream, &resp(&["jobs"]));
        stream.write_all(JOBS).unwrap();
    });
    let socket = place.socket();
    let words = [ctl::path(), "call".into(), socket, "jobs".into()];
    let Some(terminal) = Terminal::open(words, &[("NO_COLOR", Path::new("1"))]) else { return };
    terminal.shows("id  state  end\n 7  a\\tbc\n12  done   1.5");
    server.join().unwrap();
}
