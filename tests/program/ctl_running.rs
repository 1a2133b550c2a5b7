//! The subcommands `ps` and `kill`.

use std::io::Write;
use std::os::unix::net::UnixStream;

use dockipc::{Cancel, Server, State, Stopped, command};
use serde_json::Value;
use tests::ctl::{self, Ran, dockipc, run};
use tests::gate::Gate;
use tests::process::until;
use tests::scripted::{DOCKIPC_GREETING, handshake, scripted};
use tests::terminal::Terminal;
use tests::{Daemon, PATIENCE, Place, expect, resp, rest};

/// Wait until the command is asked to stop.
#[command("linger")]
fn linger(begun: State<Gate>, cancel: Cancel) -> Result<(), Stopped> {
    begun.pass();
    assert!(cancel.wait(PATIENCE));
    cancel.check()
}

/// Wait at the gate.
#[command("ignore")]
fn ignore(gate: State<Gate>) {
    gate.pass();
}

struct Scene {
    daemon: Daemon,
    begun: Gate,
}

impl Scene {
    fn new() -> Self {
        let begun = Gate::default();
        begun.open();
        Self { daemon: Daemon::start(Server::new().state(begun.clone())), begun }
    }

    /// Runs `dockipc` with these words and the socket.
    fn run(&self, words: &[&str]) -> Ran {
        let mut command = ctl::command(&ctl::path());
        run(command.env("DOCKIPC_SOCKET", self.daemon.path()).args(words), b"")
    }

    /// Begins a command. Returns its connection, and its row of `ps`.
    fn begin(&self, name: &str) -> (UnixStream, Vec<String>) {
        let mut stream = self.daemon.connect();
        stream.write_all(format!("{name}\n").as_bytes()).unwrap();
        until("a row", || self.rows().iter().any(|row| row[1] == name));
        (stream, self.rows().into_iter().find(|row| row[1] == name).unwrap())
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let ran = self.run(&["ps"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.text().lines().map(|row| row.split('\t').map(str::to_owned).collect()).collect()
    }
}

#[test]
fn ps_lists_running_commands_and_kill_stops_them() {
    let it = Scene::new();
    let none = it.run(&["ps"]);
    assert_eq!((none.code, &*none.text()), (Some(0), ""));
    assert_eq!(none.err, "no command runs that you may stop\n");
    let streams = [it.begin("linger").0, it.begin("linger").0];
    until("two rows", || it.rows().len() == 2);
    let rows = it.rows();
    for row in &rows {
        assert_eq!((&*row[1], &*row[5]), ("linger", "running"));
        assert_eq!(row[3], std::process::id().to_string());
        assert!(row[4].ends_with('s'), "{row:?}");
    }
    let json = it.run(&["ps", "--json"]);
    let json: Vec<Value> = serde_json::from_slice(&json.out).unwrap();
    let first = &json[0];
    assert_eq!(
        (first["id"].to_string(), &first["command"]),
        (rows[0][0].clone(), &"linger".into())
    );
    assert_eq!((&first["user"], &first["state"]), (&(*rows[0][2]).into(), &"running".into()));
    assert!(first["ms"].is_u64() && first["uid"].is_u64() && first["connection"].is_u64());
    assert_eq!(it.run(&["ps", "--json=line"]).text().lines().count(), 2);
    let killed = it.run(&["kill", &rows[0][0], &rows[1][0]]);
    assert_eq!((killed.code, &*killed.text(), &*killed.err), (Some(0), "", ""));
    for stream in streams {
        assert_eq!(rest(stream), b"-CANCELLED the command was cancelled\n");
    }
    until("no row", || it.rows().is_empty());
}

#[test]
fn ps_draws_a_table_on_a_terminal() {
    let it = Scene::new();
    let (_stream, row) = it.begin("linger");
    let words = [ctl::path().into_os_string(), "ps".into(), it.daemon.path().into()];
    let Some(terminal) = Terminal::open(words, &[]) else { return };
    assert_eq!(terminal.exit(), 0);
    let screen = terminal.screen();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let mut lines = screen.lines();
    assert_eq!(words(lines.next().unwrap()), ["ID", "COMMAND", "USER", "PID", "TIME", "STATE"]);
    let shown = words(lines.next().unwrap());
    assert_eq!((&shown[..4], &shown[5]), (&row[..4], &row[5]));
}

#[test]
fn kill_names_each_command_that_it_can_not_stop() {
    let it = Scene::new();
    let (stream, row) = it.begin("linger");
    it.begun.close();
    let (deaf, ignored) = it.begin("ignore");
    let ran = it.run(&["kill", "1x", &ignored[0], &row[0]]);
    assert_eq!(ran.code, Some(1));
    let lines: Vec<_> = ran.err.lines().collect();
    assert!(lines[0].starts_with("test-dockipc: ERR no command ") && lines[0].contains("1x"));
    assert!(lines[0].ends_with("; `ps` lists the running commands"));
    assert!(lines[1].ends_with("ERR ignore does not take a Cancel, so it runs to its end"));
    // The others are stopped all the same.
    assert_eq!(rest(stream), b"-CANCELLED the command was cancelled\n");
    it.begun.open();
    assert_eq!(rest(deaf), b"");
    let ran = it.run(&["kill"]);
    assert_eq!(ran.code, Some(2));
    assert_eq!(ran.err, "test-dockipc: missing id of a command; `ps` lists the running commands\n");
    assert_eq!(dockipc(["kill", "/nowhere/s.sock", "1"]).code, Some(3));
}

#[test]
fn kill_completes_ids_of_running_commands() {
    let it = Scene::new();
    let (_one, _) = it.begin("linger");
    let (_other, _) = it.begin("linger");
    until("two rows", || it.rows().len() == 2);
    let rows = it.rows();
    let [first, second] = [&rows[0][0], &rows[1][0]];
    let complete = |line: String| it.run(&["__complete", "--", &line]).text();
    let all = complete("dockipc kill ".into());
    let user = &rows[0][2];
    for id in [first, second] {
        let line = all.lines().find(|line| line.starts_with(&format!("{id}\t"))).unwrap();
        let help = format!("\tlinger of {user}, process {}, ", std::process::id());
        assert!(line.contains(&help), "{line}");
    }
    let socket = it.daemon.path();
    let rest = complete(format!("dockipc kill {} {first} ", socket.display()));
    assert_eq!(rest.split('\t').next(), Some(&**second));
    assert_eq!(rest.lines().count(), 1);
    let path = complete(format!("dockipc ps {}", socket.parent().unwrap().display()));
    assert!(path.contains(socket.parent().unwrap().to_str().unwrap()), "{path}");
}

#[test]
fn older_daemon_is_said_to_list_no_commands() {
    for (words, line) in
        [(&["ps"][..], &["dockipc", "running"][..]), (&["kill", "7"], &["dockipc", "cancel", "7"])]
    {
        let (place, line) = (Place::new(), resp(line));
        let server = scripted(&place, move |accept| {
            let mut stream = accept();
            expect(&mut stream, &handshake());
            stream.write_all(DOCKIPC_GREETING).unwrap();
            expect(&mut stream, &line);
            stream.write_all(b"-USAGE usage: dockipc describe | line <text>\r\n").unwrap();
        });
        let mut command = ctl::command(&ctl::path());
        let ran = run(command.env("DOCKIPC_SOCKET", place.socket()).args(words), b"");
        assert_eq!(ran.code, Some(1));
        assert!(ran.err.contains("the daemon is older than this program"), "{ran:?}");
        server.join().unwrap();
    }
}

#[test]
fn own_program_leaves_ps_and_kill_to_its_daemon() {
    let place = Place::new();
    let server = Server::new().state(Gate::default());
    let server = server.handle("kill", |_: &dockipc::Request<'_>| "its own");
    let _daemon = server.spawn(place.socket()).unwrap();
    let mut command = ctl::command(&ctl::named(&place, "hitctl"));
    let ran = run(command.env("TEST_SOCKET", place.socket()).arg("kill"), b"");
    assert_eq!((ran.code, &*ran.text()), (Some(0), "its own\n"));
}
