//! The examples as processes, and the README's console blocks.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use dockipc::Client;
use dockipc::client::{Progress, quote};
use queue_ipc::{
    Added, Group, Line, NewTask, Outcome, Queue as _, QueueClient, Selection, Signal, Status,
};
use tests::example::{example, program, root};
use tests::{Place, exchange};

const PATIENCE: Duration = Duration::from_secs(20);

/// A running example. Dropping it kills the process.
struct Daemon {
    child: Child,
    socket: PathBuf,
    /// The printed lines that can be pasted.
    invitation: Vec<String>,
}

impl Daemon {
    /// Starts an example with its socket's path and other arguments, and waits until it answers.
    fn start(name: &str, socket: &Path, more: &[&Path]) -> Self {
        let mut command = Command::new(example(name));
        Self::run(command.arg(socket).args(more), socket)
    }

    fn run(command: &mut Command, socket: &Path) -> Self {
        // To a file, which can be read without waiting for more output.
        let log = socket.with_extension("log");
        let child = command.stdout(File::create(&log).expect("a log")).spawn().expect("a process");
        let mut daemon = Self { child, socket: socket.to_owned(), invitation: Vec::new() };
        let deadline = Instant::now() + PATIENCE;
        while UnixStream::connect(socket).is_err() {
            let ended = daemon.child.try_wait().expect("the process's state");
            assert!(ended.is_none(), "the daemon ended: {ended:?}");
            assert!(Instant::now() < deadline, "no answer at {}", socket.display());
            thread::sleep(Duration::from_millis(2));
        }
        let log = fs::read_to_string(log).expect("the log");
        let lines = log.lines().filter_map(|line| line.strip_prefix("  "));
        daemon.invitation = lines.map(str::to_owned).collect();
        daemon
    }

    /// Sends bytes, and returns the answer.
    #[track_caller]
    fn raw(&self, bytes: impl AsRef<[u8]>) -> String {
        let stream = UnixStream::connect(&self.socket).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        String::from_utf8(exchange(stream, bytes.as_ref())).expect("text")
    }

    /// Runs the example `client`.
    fn client(&self, words: &[&str]) -> Output {
        let mut client = Command::new(example("client"));
        client.arg(&self.socket).args(words).output().expect("the client's output")
    }

    /// Sends SIGKILL.
    fn kill(mut self) {
        self.child.kill().expect("a process to kill");
        self.child.wait().expect("its end");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a line in a shell as if it was pasted, and returns the terminal's output.
#[track_caller]
fn paste(line: &str) -> String {
    // Without cargo, which would build.
    let client = example("client");
    let client = quote(client.to_str().expect("a path in UTF-8")).into_owned();
    let line = line.replace("cargo run -q --example client", &client);
    let output = Command::new("timeout")
        .args(["20", "sh", "-c", &line])
        .env("FAKETTY", "1") // redis-cli prints as on a terminal.
        .output()
        .expect("a shell");
    let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
    assert!(output.status.code().is_some_and(|code| code < 124), "{line}: {text}");
    text.trim_end().to_owned()
}

/// Returns whether a line's program is installed. In CI a missing one fails the test.
#[track_caller]
fn can_run(line: &str) -> bool {
    ["nc", "redis-cli"].iter().filter(|tool| line.contains(&format!("{tool} "))).all(|tool| {
        let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output();
        let found = found.is_ok_and(|output| output.status.success());
        let required = std::env::var_os("DOCKIPC_REQUIRE_PEERS").is_some();
        assert!(found || !required, "{tool} is not installed");
        if !found {
            println!("skipped, {tool} is not installed: {line}");
        }
        found
    })
}

#[test]
fn printed_lines_of_examples_work() {
    for (name, answers) in [
        ("hello", ["Hello, Ada!", "\"Hello, Ada Lovelace!\"", "greet <name>\n"]),
        ("counter", ["2", "(integer) 3", "3"]),
        ("closure", ["", "\"blue\"", "color"]),
        ("spool", ["1", "\"done\"", "hello"]),
        ("desktop", ["1", "1) 1) (integer) 1\n   2) \"Terminal\"\n   3) (integer) 1", "arrow"]),
        ("jobs", ["1", "1) 1) (integer) 1\n   2) \"running\"\n   3) \"sleep 60\"", ""]),
        ("limits", ["", "\"\"", "edit\tOK\t1\nshow\tOK\t1"]),
        ("notes", ["1", "1) 1) (integer) 1\n   2) \"buy milk\"", "1\tbuy milk"]),
        #[cfg(feature = "tokio")]
        ("async_daemon", {
            let row = "http://127.0.0.1:9/\tno answer";
            [row, "1) 1) \"http://127.0.0.1:9/\"\n   2) \"no answer\"", row]
        }),
    ] {
        let place = Place::new();
        // A path that a shell would split and expand.
        let daemon = Daemon::start(name, &place.directory().join("it's $HOME.sock"), &[]);
        assert_eq!(daemon.invitation.len(), answers.len(), "{name}: {:?}", daemon.invitation);
        if !daemon.invitation.iter().all(|line| can_run(line)) {
            continue;
        }
        for (line, answer) in daemon.invitation.iter().zip(answers) {
            let shown = paste(line);
            // For a help text the first line is enough.
            let fits =
                if answer.ends_with('\n') { shown.starts_with(answer) } else { shown == answer };
            assert!(fits, "{line}: {shown:?}, not {answer:?}");
        }
    }
}

#[test]
fn readme_shows_the_answers_of_its_daemons() {
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    let blocks = readme.split("```console\n").skip(1);
    let blocks: Vec<_> = blocks.map(|rest| rest.split("```").next().unwrap_or_default()).collect();
    assert!(blocks.iter().any(|block| block.contains("redis-cli")), "{blocks:?}");

    // The example `counter` has the command of the first program.
    for (path, example) in [("/tmp/hits.sock", "counter"), ("/tmp/notes.sock", "notes")] {
        let place = Place::new();
        let daemon = Daemon::start(example, &place.socket(), &[]);
        let socket = quote(daemon.socket.to_str().expect("a path in UTF-8")).into_owned();
        let blocks = blocks.iter().filter(|block| block.contains(path));
        for step in blocks.flat_map(|block| block.split("$ ").skip(1)) {
            let (line, shown) = step.split_once('\n').expect("a command and its answer");
            if !can_run(line) {
                return; // What follows is shown after this.
            }
            let line = line.replace(path, &socket);
            assert_eq!(paste(&line), shown.trim_end(), "{line}");
        }
    }
}

#[test]
fn default_socket_is_in_the_runtime_directory() {
    let place = Place::new();
    let socket = place.directory().join("hello.sock");
    let mut hello = Command::new(example("hello"));
    let daemon = Daemon::run(hello.env("XDG_RUNTIME_DIR", place.directory()), &socket);
    assert_eq!(daemon.raw("greet Ada\n"), "Hello, Ada!");
}

#[test]
fn second_start_is_refused() {
    let place = Place::new();
    let daemon = Daemon::start("hello", &place.socket(), &[]);
    let second = Command::new(example("hello")).arg(place.socket()).output().expect("its output");
    assert!(!second.status.success());
    let why = String::from_utf8(second.stderr).expect("text");
    let path = place.socket();
    let (path, process) = (path.display(), daemon.child.id());
    let expected = format!("Error: already running: {path} is in use by process {process}\n");
    assert_eq!(why, expected);
    assert_eq!(daemon.raw("greet Ada\n"), "Hello, Ada!");
}

#[test]
fn counter_counts_for_all_callers() {
    let place = Place::new();
    let daemon = Daemon::start("counter", &place.socket(), &[]);
    let client = Client::new(&daemon.socket);
    assert_eq!(client.command("add").arg(40).call::<u64>().unwrap(), 40);
    assert_eq!(daemon.raw("add\n"), "41");
    assert_eq!(daemon.client(&["ADD", "1"]).stdout, b"42");
    let failure = client.command("add").arg(u64::MAX).call::<u64>().unwrap_err();
    assert_eq!(failure.failure().unwrap().code(), "ERR");
    assert_eq!(daemon.raw("get\n"), "42");
    assert_eq!(client.command("zero").call::<u64>().unwrap(), 42);
    assert_eq!(daemon.raw("get\n"), "0");
}

#[test]
fn jobs_are_waited_for_and_stopped_from_elsewhere() {
    let place = Place::new();
    let daemon = Daemon::start("jobs", &place.socket(), &[]);
    let client = Client::new(&daemon.socket);
    let begin = |command: &str| client.command("start").arg(command).call::<u64>().unwrap();
    let wait = |job: u64| client.command("wait").arg(job).call::<String>();
    assert_eq!(wait(begin("echo one; echo two")).unwrap(), "one\ntwo\n");
    assert_eq!(wait(9).unwrap_err().failure().unwrap().code(), "NOJOB");
    let long = begin("sleep 600; echo late");
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..3).map(|_| scope.spawn(|| wait(long))).collect();
        // From elsewhere.
        assert_eq!(daemon.raw(format!("cancel {long}\n")), "");
        for waiting in waiting {
            assert_eq!(waiting.join().unwrap().unwrap(), "");
        }
    });
    assert!(daemon.raw("list\n").contains("2\tended\tsleep 600; echo late\n"));
    assert_eq!(daemon.raw("run echo three\n"), "three\n");
    assert_eq!(client.command("primes").arg(1000).call::<(u64, u64)>().unwrap(), (168, 1000));
    let bytes = client.command("stop").call::<()>();
    bytes.unwrap();
    let mut daemon = daemon;
    assert!(daemon.child.wait().unwrap().success());
}

#[test]
fn job_in_the_foreground_ends_when_its_client_leaves() {
    let place = Place::new();
    let daemon = Daemon::start("jobs", &place.socket(), &[]);
    let mark = place.directory().join("mark");
    let mut stream = UnixStream::connect(&daemon.socket).unwrap();
    let line = format!("run echo $$ > {0}.new; mv {0}.new {0}; sleep 600\n", mark.display());
    stream.write_all(line.as_bytes()).unwrap();
    tests::process::until("a process", || mark.exists());
    let id: i32 = fs::read_to_string(&mark).unwrap().trim().parse().unwrap();
    let process = rustix::process::Pid::from_raw(id).unwrap();
    let runs = || rustix::process::test_kill_process(process).is_ok();
    assert!(runs());
    drop(stream);
    tests::process::until("its end", || !runs());
}

/// Returns the next line that a daemon sends.
#[track_caller]
fn next_line(lines: &mut impl BufRead) -> String {
    let mut line = String::new();
    lines.read_line(&mut line).expect("a line");
    line
}

#[test]
fn jobs_publish_their_start_and_end() {
    let place = Place::new();
    let daemon = Daemon::start("jobs", &place.socket(), &[]);
    let client = Client::new(&daemon.socket);
    let mut events = client.subscribe(["jobs.*"]).unwrap();
    let mut next = |channel: &str| {
        let event = events.next().expect("an event").unwrap();
        assert_eq!(event.channel(), channel);
        event
    };
    assert_eq!(next("jobs.running").get::<u64>().unwrap(), 0);
    client.command("start").arg("sleep 600").call::<u64>().unwrap();
    assert_eq!(next("jobs.running").get::<u64>().unwrap(), 1);
    let started = next("jobs.started").get::<(u64, String)>().unwrap();
    assert_eq!(started, (1, "sleep 600".to_owned()));
    // A late subscriber.
    let mut stream = BufReader::new(UnixStream::connect(&daemon.socket).unwrap());
    stream.get_mut().write_all(b"subscribe jobs.running\n").unwrap();
    assert_eq!(next_line(&mut stream), "jobs.running\t1\n");
    client.command("cancel").arg(1).call::<()>().unwrap();
    assert_eq!(next("jobs.running").get::<u64>().unwrap(), 0);
    assert_eq!(next("jobs.done").get::<u64>().unwrap(), 1);
    assert_eq!(next_line(&mut stream), "jobs.running\t0\n");
}

#[test]
fn jobs_report_their_progress() {
    let place = Place::new();
    let daemon = Daemon::start("jobs", &place.socket(), &[]);
    let client = Client::new(&daemon.socket);
    let (sender, reports) = std::sync::mpsc::channel();
    let report = move |progress: &Progress| drop(sender.send(progress.clone()));
    let call = client.command("primes").arg(1000).on_progress(report.clone());
    call.call::<(u64, u64)>().unwrap();
    // The last one before the answer: it comes each 256 numbers.
    let last = reports.try_iter().last().expect("a report");
    assert_eq!((last.done, last.total), (768, Some(1000)));
    let call = client.command("run").arg("echo one; echo two").on_progress(report);
    assert_eq!(call.call::<String>().unwrap(), "one\ntwo\n");
    assert_eq!(reports.try_iter().last().expect("a report").text.as_deref(), Some("two"));
}

#[test]
fn tail_follows_a_file_until_its_caller_leaves() {
    let place = Place::new();
    let daemon = Daemon::start("tail", &place.socket(), &[]);
    let log = place.directory().join("log");
    let add = |text: &str| {
        let mut file = File::options().append(true).create(true).open(&log).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    add("one\ntwo\nthr");
    let path = quote(log.to_str().unwrap()).into_owned();
    assert_eq!(daemon.raw(format!("tail --no-follow {path}\n")), "one\ntwo\nthr\n");
    assert_eq!(daemon.raw(format!("tail --no-follow --lines 2 {path}\n")), "two\nthr\n");
    assert_eq!(daemon.raw(format!("tail --no-follow --lines 0 {path}\n")), "");
    assert!(daemon.raw("tail /none\n").starts_with("-ERR "));

    let client = Client::new(&daemon.socket);
    let mut lines = client.command("tail").option("lines", 2).arg(&log).stream::<String>().unwrap();
    let mut stream = BufReader::new(UnixStream::connect(&daemon.socket).unwrap());
    stream.get_mut().write_all(format!("tail --lines 2 {path}\n").as_bytes()).unwrap();
    let mut next = |expected: &str| {
        assert_eq!(lines.next().expect("a line").unwrap(), expected);
        assert_eq!(next_line(&mut stream), format!("{expected}\n"));
    };
    next("two");
    add("ee\nfour\n");
    next("three");
    next("four");
    fs::rename(&log, place.directory().join("log.1")).unwrap();
    add("rotated\n");
    next("rotated");
    File::create(&log).unwrap();
    add("cut\n");
    next("cut");

    let running = || daemon.raw("dockipc running\n").matches("tail").count();
    assert_eq!(running(), 2);
    drop((lines, stream));
    tests::process::until("the end of both", || running() == 0);
}

#[test]
fn redis_client_subscribes_to_tail() {
    let place = Place::new();
    let daemon = Daemon::start("tail", &place.socket(), &[]);
    let log = place.directory().join("log");
    fs::write(&log, "one\ntwo\n").unwrap();
    let call = format!("tail --no-follow --lines 1 {}", quote(log.to_str().unwrap()));
    let mut stream = UnixStream::connect(&daemon.socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&tests::resp(&["psubscribe", &call])).unwrap();
    let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
    let messages = [("item", "two"), ("end", "+END")].map(|(kind, text)| {
        let parts = ["pmessage", &call, kind, text].map(bulk);
        format!("*4\r\n{}", parts.concat())
    });
    let begun = format!("*3\r\n{}{}:1\r\n", bulk("psubscribe"), bulk(&call));
    tests::expect(&mut stream, (begun + &messages.concat()).as_bytes());
}

#[test]
fn backup_returns_the_bytes_of_restore() {
    let place = Place::new();
    let daemon = Daemon::start("backup", &place.socket(), &[]);
    let client = Client::new(&daemon.socket);
    assert!(daemon.raw("backup\n").starts_with("-NOFILE "));
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let restored = client.command("restore").body(&*bytes).call::<u64>().unwrap();
    assert_eq!(restored, bytes.len() as u64);
    let pieces = client.command("backup").stream::<Vec<u8>>().unwrap();
    let pieces: Vec<_> = pieces.collect::<Result<_, _>>().unwrap();
    assert!(pieces.len() > 1 && pieces.concat() == bytes);
    // A line and its body, until the end of the client's side.
    let stream = UnixStream::connect(&daemon.socket).unwrap();
    assert_eq!(exchange(stream, b"restore\n\0\n\xff"), b"3");
    assert_eq!(dockipc::send(&daemon.socket, "backup").unwrap(), b"\0\n\xff");
    assert_eq!(fs::read(place.socket().with_extension("file")).unwrap(), b"\0\n\xff");
}

#[test]
fn backup_keeps_its_file_when_a_body_is_cut_off() {
    let place = Place::new();
    let file = place.directory().join("kept");
    fs::write(&file, "old").unwrap();
    let daemon = Daemon::start("backup", &place.socket(), &[&file]);
    let new = place.directory().join("kept.new");
    let mut stream = UnixStream::connect(&daemon.socket).unwrap();
    stream.write_all(b"restore\nsome bytes").unwrap();
    tests::process::until("a new file", || fs::read(&new).is_ok_and(|bytes| !bytes.is_empty()));
    assert!(daemon.raw("restore\nothers").starts_with("-RESTORING "));
    drop(stream);
    tests::process::until("its end", || !new.exists());
    assert_eq!(daemon.raw("backup\n"), "old");
}

#[test]
fn limits_hold_for_each_user() {
    let place = Place::new();
    let daemon = Daemon::start("limits", &place.socket(), &[]);
    let answers: Vec<_> = (0..200).map(|_| daemon.raw("show\n")).collect();
    let refused = |answer: &&String| answer.starts_with("-RATELIMIT 5 calls a second and user; ");
    assert!(answers[..20].iter().all(String::is_empty));
    let count = answers.iter().filter(refused).count();
    assert!(count > 0 && count + answers.iter().filter(|a| a.is_empty()).count() == 200);
    let stats: Vec<(String, String, u64)> =
        Client::new(&daemon.socket).command("stats").call().unwrap();
    let line = |code: &str, count| ("show".to_owned(), code.to_owned(), count);
    assert_eq!(stats, [line("OK", 200 - count as u64), line("RATELIMIT", count as u64)]);
}

#[test]
fn edit_lock_ends_with_its_connection() {
    let place = Place::new();
    let daemon = Daemon::start("limits", &place.socket(), &[]);
    let [first, second] = [(); 2].map(|()| Client::new(&daemon.socket));
    let edit = |client: &Client| client.command("edit").call::<()>();
    let done = |client: &Client| client.command("done").arg("new text").call::<()>();
    let code =
        |result: dockipc::Result<()>| result.unwrap_err().failure().unwrap().code().to_owned();
    edit(&first).unwrap();
    assert_eq!(code(edit(&second)), "LOCKED");
    assert_eq!(code(done(&second)), "NOTEDITING");
    done(&first).unwrap();
    assert_eq!(daemon.raw("show\n"), "new text");
    edit(&second).unwrap();
    drop(second);
    tests::process::until("the end of the lock", || {
        // The limit counts attempts.
        thread::sleep(Duration::from_millis(50));
        edit(&first).is_ok()
    });
}

#[test]
fn slow_commands_are_logged() {
    let place = Place::new();
    let mut command = Command::new(example("limits"));
    let log = place.directory().join("errors");
    command.arg(place.socket()).arg("0").stderr(File::create(&log).unwrap());
    let daemon = Daemon::run(&mut command, &place.socket());
    daemon.raw("done x\n");
    let line = fs::read_to_string(log).unwrap();
    assert!(line.starts_with("slow: done of uid "), "{line}");
    assert!(line.ends_with(": Failed\n"), "{line}");
}

#[test]
fn closure_keeps_values_of_any_bytes() {
    let place = Place::new();
    let daemon = Daemon::start("closure", &place.socket(), &[]);
    let client = Client::new(&daemon.socket);
    client.command("SET").arg("k").arg([0, b'\n', 255]).call::<()>().unwrap();
    let value: Option<Vec<u8>> = client.command("get").arg("k").call().unwrap();
    assert_eq!(value, Some(vec![0, b'\n', 255]));
    assert_eq!(daemon.raw("set other 'two words'\n"), "");
    assert_eq!(daemon.raw("keys\n"), "k\nother\n");
    assert_eq!(client.command("del").args(["k", "none"]).call::<u64>().unwrap(), 1);
    assert_eq!(client.command("get").arg("k").call::<Option<String>>().unwrap(), None);
    assert!(daemon.raw("get\n").starts_with("-USAGE usage: set <key> <value> | "));
}

#[test]
fn client_tells_refusal_from_missing_answer() {
    let place = Place::new();
    let daemon = Daemon::start("notes", &place.socket(), &[]);
    assert_eq!(ended(&daemon.client(&["show", "9"])), "1 <> <NOTFOUND no note 9\n>");
    assert_eq!(ended(&daemon.client(&["add", "buy", "milk"])), "0 <1> <>");
    // Words with dashes go to the daemon too.
    assert_eq!(daemon.client(&["find", "--ignore-case", "MILK"]).stdout, b"1\tbuy milk\n");
    let usage = "2 <> <usage: client SOCKET COMMAND [WORD…]\n>";
    assert_eq!(ended(&daemon.client(&[])), usage);
    let socket = daemon.socket.clone();
    daemon.kill();
    let none = Command::new(example("client")).arg(&socket).arg("list").output().unwrap();
    assert!(ended(&none).starts_with("2 <> <stale socket "), "{}", ended(&none));
}

/// Formats the exit code, standard output and standard error.
fn ended(output: &Output) -> String {
    let [stdout, stderr] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{} <{stdout}> <{stderr}>", output.status.code().unwrap_or(-1))
}

/// A web server that answers each connection with what the function says about its path, and then with the end.
#[cfg(feature = "tokio")]
fn web_server(answer: impl Fn(&str) -> Option<&'static str> + Send + 'static) -> String {
    use std::io::Read;

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let first = stream.by_ref().lines().next().unwrap().unwrap();
            while stream.by_ref().lines().next().unwrap().unwrap() != "" {}
            match answer(first.split(' ').nth(1).unwrap()) {
                Some(response) => stream.get_mut().write_all(response.as_bytes()).unwrap(),
                // Until the client ends the connection.
                None => assert_eq!(stream.read(&mut [0]).unwrap(), 0),
            }
        }
    });
    format!("http://{address}")
}

#[cfg(feature = "tokio")]
#[test]
fn async_daemon_asks_web_servers() {
    use std::sync::mpsc::channel;

    const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    const BUSY: &str = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (came, begun) = channel();
    let tries = std::cell::Cell::new(0);
    let web = web_server(move |path| match path {
        "/page" => Some(PAGE),
        "/slow" => {
            came.send(()).unwrap();
            None
        }
        "/starts" => {
            tries.set(tries.get() + 1);
            Some(if tries.get() == 3 { PAGE } else { BUSY })
        }
        _ => Some(BUSY),
    });
    let place = Place::new();
    let daemon = Daemon::start("async_daemon", &place.socket(), &[]);
    assert_eq!(daemon.raw(format!("get {web}/page\n")), "hello");
    assert_eq!(daemon.raw(format!("get {web}/other\n")), "-STATUS 503 Service Unavailable\n");
    assert!(daemon.raw("get http://127.0.0.1:9/\n").starts_with("-NOANSWER "));
    assert!(daemon.raw("get 'not a url'\n").starts_with("-USAGE "));
    let rows = daemon.raw(format!("check {web}/page http://127.0.0.1:9/\n"));
    assert!(rows.contains(&format!("{web}/page\t200 OK\n")), "{rows}");
    assert!(rows.contains("http://127.0.0.1:9/\tno answer\n"), "{rows}");
    assert_eq!(daemon.raw(format!("wait-for {web}/starts\n")), "");
    // The web server answers one at a time: it has seen the end of the connection if it goes on.
    let mut stream = UnixStream::connect(&daemon.socket).unwrap();
    let line = format!("get {web}/slow\n");
    stream.write_all(line.as_bytes()).unwrap();
    begun.recv_timeout(PATIENCE).unwrap();
    drop(stream);
    assert_eq!(daemon.raw(format!("get {web}/page\n")), "hello");
}

#[test]
fn spool_runs_jobs_in_order() {
    let place = Place::new();
    let daemon = Daemon::start("spool", &place.socket(), &[]);
    daemon.raw("pause\n");
    assert_eq!(daemon.raw("add echo never\n"), "1");
    let file = quote(place.directory().join("order").to_str().unwrap()).into_owned();
    assert_eq!(daemon.raw("remove 1\n"), "");
    for (id, line) in [(2, "--priority low echo 2"), (3, "echo 3"), (4, "echo 4")] {
        assert_eq!(daemon.raw(format!("add {line} >> {file}\n")), id.to_string());
    }
    assert_eq!(daemon.raw("add --priority high echo no >&2; exit 3\n"), "5");
    assert_eq!(daemon.raw("list --stage waiting\n").lines().count(), 4);
    daemon.raw("resume\n");
    assert_eq!(daemon.raw("wait 2\n"), "done");
    assert_eq!(fs::read_to_string(place.directory().join("order")).unwrap(), "3\n4\n2\n");
    assert_eq!(daemon.raw("list --stage failed\n"), "5\tfailed\techo no >&2; exit 3\n");
    assert_eq!(daemon.raw("output 5\n"), "no\n");
    assert_eq!(daemon.raw("remove 2\n"), "-TOOLATE job 2 has begun\n");
    assert_eq!(daemon.raw("wait 1\n"), "-NOTFOUND no job 1\n");

    assert!(daemon.raw("clear\n").starts_with("-NOPERM "));
    let client = Client::new(&daemon.socket).token_file(place.socket().with_extension("token"));
    assert_eq!(client.command("clear").call::<u64>().unwrap(), 4);
    assert_eq!(daemon.raw("list\n"), "");
}

/// The loops of the standard library, calloop and glib.
#[test]
fn desktop_runs_commands_on_its_own_loop() {
    for name in ["desktop", "desktop_calloop", "desktop_glib"] {
        if name == "desktop_glib" && !cfg!(feature = "glib") {
            continue;
        }
        let place = Place::new();
        let mut daemon = Daemon::start(name, &place.socket(), &[]);
        assert_eq!(daemon.raw("open Terminal\n"), "1");
        assert_eq!(daemon.raw("open Mail\n"), "2");
        assert_eq!(daemon.raw("retitle 'Mail (1)'\n"), "");
        assert_eq!(daemon.raw("windows\n"), "1\tTerminal\tfalse\n2\tMail (1)\ttrue\n");
        assert_eq!(daemon.raw("click 3\n"), "-NOTFOUND no window 3\n");

        let wait_for = |form: &str| {
            let deadline = Instant::now() + PATIENCE;
            while daemon.raw("cursor\n") != form {
                assert!(Instant::now() < deadline, "{name}: the cursor is no {form}");
            }
        };
        let pick = || {
            let mut stream = UnixStream::connect(&daemon.socket).expect("a connection");
            stream.write_all(b"pick-window\n").expect("a request");
            wait_for("crosshair");
            stream
        };
        // The caller leaves.
        drop(pick());
        wait_for("arrow");
        let stream = pick();
        assert!(daemon.raw("pick-window\n").starts_with("-PICKING "));
        assert_eq!(daemon.raw("click 1\n"), "");
        assert_eq!(exchange(stream, b""), b"1");
        assert_eq!(daemon.raw("cursor\n"), "arrow");

        assert_eq!(daemon.raw("stop\n"), "");
        assert!(daemon.child.wait().expect("its end").success(), "{name}");
        assert!(!place.socket().exists());
    }
}

#[test]
#[cfg(feature = "cli")]
fn wallpaper_mounts_the_program_of_its_daemon() {
    let place = Place::new();
    let socket = place.directory().join("wallpaper.sock");
    let program = || {
        let mut command = Command::new(example("wallpaper"));
        command.env("XDG_RUNTIME_DIR", place.directory()).env_remove("DOCKIPC_TOKEN");
        command
    };
    let ran = |words: &[&str]| {
        let Output { status, stdout, stderr } = program().args(words).output().expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (status.code(), text(stdout), text(stderr))
    };
    let prints = |words: &[&str], text: &str| {
        assert_eq!(ran(words), (Some(0), text.to_owned(), String::new()), "{words:?}");
    };
    let [red, other] = ["red.ppm", "other"].map(|name| place.directory().join(name));
    fs::write(&red, b"P6 2 1 255\n\xff\0\0\xff\0\0").expect("an image");
    fs::write(&other, "text").expect("a file");
    let [red, other] = [&red, &other].map(|path| path.to_str().expect("a path in UTF-8"));

    // Without a daemon, the linked commands are known.
    assert!(ran(&["--help"]).1.contains("Talk to the daemon that runs"));
    let (code, help, _) = ran(&["msg", "--help"]);
    assert_eq!(code, Some(0));
    assert!(help.starts_with("Talk to the daemon that runs.\n\nUsage: wallpaper msg "), "{help}");
    assert!(!help.contains("completions"), "{help}");
    let (code, help, _) = ran(&["msg", "image", "set", "--help"]);
    assert_eq!(code, Some(0));
    assert!(help.starts_with("Usage: image set <screen> <image>\n\nShow an image"), "{help}");
    assert!(ran(&["msg", "help", "image"]).1.starts_with("image list\timage list\tList the"));
    let (code, _, error) = ran(&["msg", "image", "list"]);
    assert!(code == Some(3) && error.starts_with("wallpaper msg: no socket at "), "{error}");

    let _daemon = Daemon::run(program().arg("run"), &socket);
    prints(&["msg", "image", "list"], "no images\n");
    let (code, _, error) = ran(&["msg", "image", "set", "left", other]);
    assert_eq!((code, &*error), (Some(1), "wallpaper msg: the file is no PPM image\n"));
    prints(&["msg", "image", "set", "left", red], "");
    prints(&["msg", "image", "list"], "left: 2 × 1\n");
    prints(
        &["msg", "--json=line", "image", "list"],
        "{\"screen\":\"left\",\"width\":2,\"height\":1}\n",
    );
    prints(&["msg", "image", "remove", "left"], "true\n");
}

/// One user adds a job whose text looks like the row of another job; another user lists the jobs.
#[test]
fn forged_row_stays_inside_its_column() {
    let place = Place::new();
    let spool = Daemon::start("spool", &place.socket(), &[]);
    spool.raw("pause\n");
    let client = Client::new(&spool.socket);
    let forged = "a\n99\tdone\tforged\r\n\\";
    assert_eq!(client.command("add").arg(forged).call::<u64>().unwrap(), 1);
    let escaped = "1\twaiting\ta\\n99\\tdone\\tforged\\r\\n\\\\\n";
    assert_eq!(spool.raw("list\n"), escaped);
    assert_eq!(dockipc::send(&spool.socket, "list").unwrap(), escaped.as_bytes());
    assert_eq!(spool.client(&["list"]).stdout, escaped.as_bytes());
    let rows: Vec<(u64, String, String)> = client.command("list").call().unwrap();
    assert_eq!(rows, [(1, "waiting".to_owned(), forged.to_owned())]);
    // The documented way to read it back.
    let read = Command::new("printf").args(["%b", r"a\n99\tdone\tforged\r\n\\"]).output();
    assert_eq!(String::from_utf8(read.unwrap().stdout).unwrap(), forged);

    let place = Place::new();
    let notes = Daemon::start("notes", &place.socket(), &[]);
    let client = Client::new(&notes.socket);
    client.command("add").arg("a\tb\\\rc\n99\tforged").call::<u64>().unwrap();
    assert_eq!(notes.raw("list\n"), "1\ta\\tb\\\\\\rc\n");
    assert_eq!(notes.raw("find b\n"), "1\ta\\tb\\\\\\rc\n");
    assert_eq!(notes.raw("export\n"), "1\ta\\tb\\\\\\rc\\n99\\tforged\n");
    assert_eq!(notes.raw("show 1\n"), "a\tb\\\rc\n99\tforged");
}

#[test]
fn notes_are_added_listed_shown_found_and_removed() {
    let place = Place::new();
    let daemon = Daemon::start("notes", &place.socket(), &[]);
    let client = Client::new(&daemon.socket);
    assert_eq!(daemon.raw("list\n"), "");
    assert_eq!(daemon.raw("add it's  here, \"quoted\"\n"), "1");
    assert_eq!(client.command("add").arg("Milk\nand bread").call::<u64>().unwrap(), 2);
    assert_eq!(daemon.raw("list\n"), "1\tit's  here, \"quoted\"\n2\tMilk\n");
    assert_eq!(daemon.raw("show 2\n"), "Milk\nand bread");
    assert_eq!(daemon.raw("find milk\n"), "");
    assert_eq!(daemon.raw("find --ignore-case milk\n"), "2\tMilk\n");
    let rows: Vec<(u64, String)> = client.command("find").arg("bread").call().unwrap();
    assert_eq!(rows, [(2, "Milk".to_owned())]);

    client.command("remove").arg(2).call::<()>().unwrap();
    assert_eq!(daemon.raw("remove 2\n"), "-NOTFOUND no note 2\n");
    assert_eq!(daemon.raw("show 2\n"), "-NOTFOUND no note 2\n");
    assert_eq!(daemon.raw("add next\n"), "3");
    assert_eq!(daemon.raw("add\n"), "-USAGE text is missing; usage: add <text…>\n");
}

#[test]
fn exported_notes_can_be_read_back() {
    let place = Place::new();
    let daemon = Daemon::start("notes", &place.socket(), &[]);
    let client = Client::new(&daemon.socket);
    let texts = ["plain", "two\nlines\n", r"C:\new", "a\ttab\r", "ünï", "\\", ""];
    for text in texts {
        client.command("add").arg(text).call::<u64>().unwrap();
    }
    let export = dockipc::send(&daemon.socket, "export").unwrap();
    assert_eq!(daemon.client(&["export"]).stdout, export);
    let export = String::from_utf8(export).unwrap();
    let notes = export.lines().map(|line| line.split_once('\t').expect("an id and a text"));
    let read = |text: &str| {
        let mut chars = text.chars();
        let mut out = String::new();
        while let Some(char) = chars.next() {
            out.push(match (char, char == '\\') {
                (_, true) => match chars.next() {
                    Some('n') => '\n',
                    Some('r') => '\r',
                    Some('t') => '\t',
                    other => other.expect("what is escaped"),
                },
                (char, false) => char,
            });
        }
        out
    };
    let notes: Vec<_> =
        notes.map(|(id, text)| (id.parse::<usize>().unwrap(), read(text))).collect();
    let expected: Vec<_> = (1..).zip(texts.map(str::to_owned)).collect();
    assert_eq!(notes, expected);
}

#[test]
fn notes_survive_sigkill() {
    let place = Place::new();
    let database = place.directory().join("elsewhere").with_extension("redb");
    for more in [&[][..], &[&*database]] {
        let daemon = Daemon::start("notes", &place.socket(), more);
        assert_eq!(daemon.raw("add first\n"), "1");
        assert_eq!(daemon.raw("add second\n"), "2");
        assert_eq!(daemon.raw("remove 2\n"), "");
        daemon.kill();

        let daemon = Daemon::start("notes", &place.socket(), more);
        assert_eq!(daemon.raw("list\n"), "1\tfirst\n");
        assert_eq!(daemon.raw("add third\n"), "3", "an id is not given twice");
    }
    assert!(place.socket().with_extension("redb").exists(), "the default is beside the socket");
    assert!(database.exists());
}

#[test]
fn notes_are_private() {
    let place = Place::new();
    let _daemon = Daemon::start("notes", &place.socket(), &[]);
    let mode = place.socket().symlink_metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn queue_runs_tasks_of_its_clients() {
    let place = Place::new();
    let program = |name: &str| {
        let mut command = Command::new(program(name));
        command.env("QUEUE_SOCKET", place.socket()).env("GREETING", "hello  queue");
        command.current_dir(place.directory());
        command
    };
    let daemon = Daemon::run(&mut program("queued"), &place.socket());
    let queue = QueueClient::new(Client::new(&daemon.socket));
    assert_eq!(queue.check().unwrap(), []);

    queue.group_add("ops", Some(2)).unwrap();
    assert_eq!(queue.groups().unwrap()["ops"], Group { parallel: 2, is_paused: false });
    let refused = queue.group_add("ops", None).unwrap_err();
    assert_eq!(refused.failure().unwrap().code(), "EXISTS");

    let task = |command: &[&str]| NewTask {
        path: std::env::current_dir().ok(),
        env: BTreeMap::from([("A".to_owned(), "a=b c".to_owned())]),
        group: "ops".to_owned(),
        after: Vec::new(),
        stashed: false,
        delay: None,
        label: Some("a label".to_owned()),
        command: command.iter().map(|word| (*word).to_owned()).collect(),
    };
    let added = queue.add(task(&["/bin/sh", "-c", "echo \"$A $0\"; exit 3", "a  b"])).unwrap();
    assert_eq!(added, Added { task_id: 1, group_is_paused: false });
    assert_eq!(queue.follow(1).unwrap().collect::<Result<Vec<_>, _>>().unwrap(), ["a=b c a  b"]);
    queue.wait(Selection::All).unwrap();
    let [failed] = &queue.status(Some("ops")).unwrap()[..] else { panic!("one task") };
    assert!(matches!(failed.status, Status::Done { result: Outcome::Failed(3), .. }));
    assert_eq!(failed.path, std::env::current_dir().unwrap());
    assert_eq!(failed.command, "/bin/sh -c 'echo \"$A $0\"; exit 3' 'a  b'");

    // One behind a failed one never starts.
    queue.add(NewTask { after: vec![1], ..task(&["/bin/true"]) }).unwrap();
    queue.add(NewTask { stashed: true, ..task(&["/bin/sleep", "1000"]) }).unwrap();
    queue.env_set(3, "B", "x y").unwrap();
    queue.enqueue(Selection::Ids(vec![3])).unwrap();
    let error = queue.env_unset(3, "B").unwrap_err();
    assert_eq!(error.failure().unwrap().message(), "task 3 has begun");
    let tasks = queue.status(None).unwrap();
    assert!(matches!(tasks[1].status, Status::Done { result: Outcome::DependencyFailed, .. }));
    assert!(matches!(tasks[2].status, Status::Running { .. }));

    // The words of a signal, from a line and from the typed client.
    assert_eq!(
        daemon.raw("kill --signal=INT2 3\n").split(':').next(),
        Some("-USAGE bad value for --signal")
    );
    assert_eq!(daemon.raw("kill -s KILL --group default\n"), "");
    assert_eq!(queue.kill(Selection::Group("ops".into()), Some(Signal::Kill)).unwrap(), [3]);
    queue.wait(Selection::Ids(vec![3])).unwrap();
    let tasks = queue.status(None).unwrap();
    assert!(matches!(tasks[2].status, Status::Done { result: Outcome::Killed, .. }));
    assert!(daemon.raw("kill --all 3\n").contains("--all conflicts with <ids>"));
    assert!(daemon.raw("kill\n").contains("give one of"));

    let bar = program("queue-bar").output().unwrap();
    assert_eq!(String::from_utf8(bar.stdout).unwrap(), "0 running, 0 queued, 3 failed\n");
    assert_eq!(queue.restart(&[1]).unwrap(), [4]);
    queue.wait(Selection::All).unwrap();
    assert_eq!(queue.log(Selection::Ids(vec![4]), Some(1)).unwrap()[&4], "a=b c a  b\n");
    assert_eq!(queue.clean(true).unwrap(), 0);
    assert_eq!(queue.clean(false).unwrap(), 4);

    // Tasks from rows: of the typed client, and of a file with a header.
    let words = ["/bin/echo", "a\tb", "c\\d"].map(str::to_owned);
    let line = Line { label: Some("two\nlines".to_owned()), command: words.into() };
    assert_eq!(queue.import(Some("ops"), &mut std::iter::once(line)).unwrap(), [5]);
    assert_eq!(daemon.raw("import\nlabel\tcommand\n\t/bin/echo\tx\\ty\n"), "6\n");
    assert!(daemon.raw("import\nwith an escape: \\x\n").contains("bad item 1: "));
    queue.wait(Selection::All).unwrap();
    let logs = queue.log(Selection::Ids(vec![5, 6]), None).unwrap();
    assert_eq!((&*logs[&5], &*logs[&6]), ("a\tb c\\d\n", "x\ty\n"));
    let imported = queue.status(None).unwrap();
    assert_eq!(imported[0].label.as_deref(), Some("two\nlines"));
    assert_eq!(imported[1].label, None);
    queue.group_remove("ops").unwrap();

    #[cfg(feature = "cli")]
    {
        let run = |words: &[&str]| {
            let output = program("queue").args(words).output().unwrap();
            String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
        };
        let added = run(&["add", "--", "/bin/sh", "-c", "echo \"$GREETING\"; pwd"]);
        assert_eq!(added, "task_id\t7\ngroup_is_paused\tfalse\n");
        assert_eq!(run(&["wait", "--all"]), "");
        let place = place.directory().canonicalize().unwrap();
        let log = format!("--- Task 7 ---\nhello  queue\n{}\n", place.display());
        assert_eq!(run(&["log", "7"]), log);
        // As in line mode, the name of a field stands above the first of its columns.
        let status = run(&["status"]);
        let (header, rows) = status.split_once('\n').unwrap();
        assert_eq!(header.trim_end(), "id\tcommand\tpath\tgroup\tlabel\tstatus");
        assert!(rows.starts_with("5\t"), "{status}");
        assert_eq!(status, daemon.raw("status\n"));
        let help = run(&["import", "--help"]);
        assert!(
            help.contains(
                "\nColumns of <tasks>:\n  label    A text for people. [text, optional]\n  \
                 command  The program and its arguments, a column each. [list of text]\n"
            ),
            "{help}"
        );
        assert!(run(&["group"]).contains("group remove <name>"));
        assert!(run(&["add"]).contains("command is missing"));
    }
}

#[cfg(feature = "cli")]
#[test]
fn compositor_runs_actions_on_its_loop() {
    let place = Place::new();
    let compositor = || {
        let mut command = Command::new(example("compositor"));
        command.env("COMPOSITOR_SOCKET", place.socket()).current_dir(place.directory());
        command
    };
    let mut daemon = Daemon::run(compositor().arg("run"), &place.socket());
    let msg = |line: &str| {
        let output = compositor().arg("msg").args(line.split(' ')).output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let mut events = UnixStream::connect(&daemon.socket).unwrap();
    events.set_read_timeout(Some(PATIENCE)).unwrap();
    events.write_all(b"event-stream\n").unwrap();
    let mut events = BufReader::new(events).lines().map(Result::unwrap);
    let mut event = |name: &str| {
        let line = events.next().expect("an event");
        let word = line.split('\t').next().unwrap();
        assert_eq!(word, name, "{line}");
        line
    };
    event("workspaces-changed");
    event("windows-changed");
    event("overview-opened-or-closed");

    assert_eq!(msg("action spawn -- foot --hold  -e"), "");
    event("window-opened-or-changed");
    event("window-focus-changed");
    assert_eq!(msg("focused-window"), "Window 1: foot --hold  -e\n");
    let json: serde_json::Value = serde_json::from_str(&msg("--json=line focused-window")).unwrap();
    assert_eq!(json["layout"]["size"][0].as_f64(), Some(960.0));
    for (change, width) in [("600", 600.0), ("+10%", 792.0), ("-92", 700.0)] {
        assert_eq!(msg(&format!("action set-window-width {change}")), "", "{change}");
        let line = event("window-opened-or-changed");
        assert!(line.contains(&format!("{width}")), "{line}");
    }
    // A path against the caller's directory.
    assert_eq!(msg("action screenshot --path shot.png -p false"), "");
    let path = place.directory().canonicalize().unwrap().join("shot.png");
    assert!(event("screenshot-captured").ends_with(path.to_str().unwrap()));
    let refused = daemon.raw("action screenshot --path shot.png\n");
    assert!(refused.starts_with("-USAGE "), "{refused}");

    assert_eq!(msg("press Mod+O"), "");
    assert!(event("overview-opened-or-closed").ends_with("is_open\ttrue"));
    assert_eq!(msg("action set-workspace-name mail --workspace 2"), "");
    assert_eq!(msg("action move-window-to-workspace mail --focus false"), "");
    event("window-opened-or-changed");
    assert!(msg("workspaces").contains("\n2\t2\tmail\teDP-1\tfalse\n"));
    assert!(msg("action focus-workspace 256").contains("0 to 255"));
    assert_eq!(msg("output eDP-1 vrr YES --on-demand"), "applied\n");
    assert_eq!(msg("output eDP-1 position -1920 40"), "applied\n");
    assert_eq!(msg("output eDP-1 transform 90"), "applied\n");
    assert_eq!(msg("output eDP-1 mode 1920x1200@60"), "applied\n");
    let outputs: serde_json::Value = serde_json::from_str(&msg("--json=line outputs")).unwrap();
    let logical = &outputs["eDP-1"]["logical"];
    assert_eq!((logical["x"].as_i64(), logical["transform"].as_str()), (Some(-1920), Some("90")));
    assert_eq!(msg("output eDP-1 off"), "applied\n");
    let help = msg("output eDP-1 off --help");
    assert!(help.starts_with("Usage: output <output> off\n"), "{help}");
    assert!(help.contains("\n  <output>  The name of the monitor; "), "{help}");
    assert_eq!(msg("help output eDP-1 off"), help);
    let help = msg("help outputs");
    let columns = "\nAnswer: map of text to Output\n  name            text\n";
    assert!(help.contains(columns), "{help}");
    let logical = "  logical         None for a monitor that is off. [Logical (x, y, scale, transform), optional]\n";
    assert!(help.contains(logical), "{help}");
    assert!(msg("outputs").contains("is_vrr_enabled\ttrue"), "{}", msg("outputs"));
    assert_eq!(msg("output HDMI-1 on"), "output-was-missing\n");
    assert!(msg("output eDP-1 scale 11").contains("expected 0.1 to 10.0"));
    assert!(msg("output eDP-1 scale").contains("usage: output <output> scale <scale>"));
    assert!(
        msg("output eDP-1 of").contains("did you mean output off?"),
        "{}",
        msg("output eDP-1 of")
    );
    assert!(msg("output").contains("output <output> position [<x>] [<y>]"));
    assert!(msg("output eDP-1 vrr --help").contains("--on-demand"));
    assert!(msg("action close-windo").contains("did you mean action close-window?"));
    assert!(msg("action center-column").contains("UNSUPPORTED"));
    let actions = msg("action");
    assert!(actions.lines().filter(|line| line.starts_with("action ")).count() > 50, "{actions}");
    let described = daemon.raw("dockipc describe --daemon\n");
    assert!(described.starts_with("version\t25.11\n"), "{described}");

    assert_eq!(msg("action quit -s"), "");
    assert!(daemon.child.wait().unwrap().success());
}
