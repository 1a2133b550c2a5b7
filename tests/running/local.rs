//! Commands that run on the author's own loop, with its state. The loop is the test itself.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use dockipc::{
    Answerer, Arg, Cancel, Deadline, Deferred, Failure, Job, Local, Peer, Progress, Request,
    Server, State, Stop, Stopped, command,
};
use tests::process::until;
use tests::{Daemon, PATIENCE, exchange, expect, resp, rest};

/// The state of the loop, which isn't `Send`.
#[derive(Default)]
pub(crate) struct Ui {
    pub(crate) layers: Rc<RefCell<Vec<String>>>,
    pub(crate) picks: Vec<Answerer<u64>>,
    /// The reasons for which picks have ended.
    pub(crate) ended: Arc<Mutex<Vec<Stopped>>>,
    pub(crate) server: Option<Daemon>,
}

#[derive(Arg)]
enum Edge {
    Top,
    Bottom,
}

/// Add a layer and answer with all.
#[command]
fn add_layer(ui: Local<'_, Ui>, name: &str) -> Vec<String> {
    ui.layers.borrow_mut().push(name.to_owned());
    ui.layers.borrow().clone()
}

/// Remove all layers.
#[command]
fn clear_layers(mut ui: Local<'_, Ui>) {
    ui.layers = Rc::default();
}

/// Answer with everything that a command can take.
#[command]
#[expect(clippy::too_many_arguments, reason = "each kind of parameter, once")]
fn everything(
    prefix: &State<String>,
    peer: &Peer,
    ui: Local<'_, Ui>,
    request: &Request<'_>,
    cancel: Cancel,
    deadline: Deadline,
    stop: Stop,
    edge: Edge,
    #[arg(long, default = 7)] size: u64,
    #[arg(flag)] loud: bool,
    names: Vec<String>,
) -> String {
    assert!(peer.pid().is_some() && !cancel.is_cancelled() && !stop.is_requested());
    assert_eq!(request.name(), "everything");
    let edge = match edge {
        Edge::Top => "top",
        Edge::Bottom => "bottom",
    };
    let (count, has_deadline) = (ui.layers.borrow().len(), deadline.instant().is_some());
    format!("{} {edge} {size} {loud} {names:?} {count} {has_deadline}", **prefix)
}

/// Report the layers, and answer with their number.
#[command]
fn report_layers(ui: Local<'_, Ui>, progress: Progress) -> usize {
    let layers = ui.layers.borrow();
    for (i, layer) in layers.iter().enumerate() {
        progress.set(i as u64 + 1, layers.len() as u64);
        progress.say(layer);
    }
    layers.len()
}

/// Panic.
#[command]
fn fall_here(_ui: Local<'_, Ui>) {
    panic!("on purpose");
}

/// Answer with a number that is picked later.
#[command]
pub(crate) fn pick_here(
    mut ui: Local<'_, Ui>,
    refuse: Option<bool>,
) -> Result<Deferred<u64>, Failure> {
    if refuse == Some(true) {
        return Err(Failure::new("REFUSED", "not now"));
    }
    let (later, answer) = Deferred::new();
    let ended = Arc::clone(&ui.ended);
    answer.on_cancel(move |why| ended.lock().unwrap().push(why));
    ui.picks.push(answer);
    Ok(later)
}

/// Wait until the command is asked to stop.
#[command]
fn linger_here(_ui: Local<'_, Ui>, cancel: Cancel) -> Result<(), Stopped> {
    assert!(cancel.wait(PATIENCE));
    cancel.check()
}

/// Stop the daemon.
#[command]
fn quit_here(_ui: Local<'_, Ui>, stop: Stop) {
    stop.after_answer();
}

/// Answer at once, on the server's own threads.
#[command]
fn quick() -> u64 {
    1
}

/// A daemon whose loop is on the test's thread.
pub(crate) struct Desk {
    pub(crate) daemon: Daemon,
    pub(crate) jobs: Receiver<Job<Ui>>,
    pub(crate) ui: Ui,
}

/// Adds what the commands of this program need.
pub(crate) fn with_loop(server: Server) -> (Server, Receiver<Job<Ui>>) {
    let (sender, jobs) = channel();
    (server.state("it".to_owned()).local(move |job| drop(sender.send(job))), jobs)
}

impl Desk {
    pub(crate) fn start(server: Server) -> Self {
        let (server, jobs) = with_loop(server);
        Self { daemon: Daemon::start(server), jobs, ui: Ui::default() }
    }

    pub(crate) fn next(&self) -> Job<Ui> {
        self.jobs.recv_timeout(PATIENCE).expect("a job")
    }

    pub(crate) fn run_next(&mut self) {
        self.next().run(&mut self.ui);
    }

    /// Sends bytes.
    pub(crate) fn send(&self, bytes: impl AsRef<[u8]>) -> UnixStream {
        let mut stream = self.daemon.connect();
        stream.write_all(bytes.as_ref()).unwrap();
        stream
    }

    /// Runs as many jobs as the bytes have commands, and returns the answers.
    fn ask(&mut self, bytes: impl AsRef<[u8]>, jobs: usize) -> String {
        let stream = self.send(bytes);
        stream.shutdown(Shutdown::Write).unwrap();
        (0..jobs).for_each(|_| self.run_next());
        String::from_utf8(rest(stream)).unwrap()
    }
}

fn opened(words: &[&str]) -> Vec<u8> {
    resp(&[&["dockipc", "with", "deadline", "600000", "--"], words].concat())
}

#[test]
fn command_runs_with_the_state_of_the_loop() {
    let mut desk = Desk::start(Server::new());
    assert_eq!(desk.ask("add-layer panel\n", 1), "panel\n");
    assert_eq!(desk.ui.layers.borrow().len(), 1);
    assert_eq!(desk.ask("add-layer dock\n", 1), "panel\ndock\n");
    assert_eq!(desk.ask("clear-layers\n", 1), "");
    assert_eq!(desk.ui.layers.borrow().len(), 0);
}

#[test]
fn local_function_is_called_by_a_test() {
    let mut ui = Ui::default();
    assert_eq!(add_layer(Local::new(&mut ui), "panel"), ["panel"]);
    clear_layers(Local::new(&mut ui));
    assert_eq!(ui.layers.borrow().len(), 0);
}

#[test]
fn other_parameters_stand_beside_local() {
    let mut desk = Desk::start(Server::new());
    let line = "everything bottom a 'b c' --loud\n";
    assert_eq!(desk.ask(line, 1), "it bottom 7 true [\"a\", \"b c\"] 0 false");
    let mut stream = desk.send(opened(&["everything", "top", "--size", "9"]));
    desk.run_next();
    expect(&mut stream, b"$24\r\nit top 9 false [] 0 true\r\n");
    let answer = desk.ask("everything left\n", 1);
    assert!(answer.starts_with("-USAGE ") && answer.contains("usage: everything"), "{answer}");
    assert!(desk.ask("everything\n", 1).starts_with("-USAGE edge is missing"));
}

#[test]
fn progress_comes_before_the_answer() {
    let mut desk = Desk::start(Server::new());
    desk.ui.layers.borrow_mut().push("panel".to_owned());
    let call = resp(&["dockipc", "with", "progress", "1", "--", "report-layers"]);
    let mut stream = desk.send([resp(&["hello", "3"]), call].concat());
    desk.run_next();
    let mut answer = Vec::new();
    while !answer.ends_with(b"panel\r\n:1\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    let frame =
        b"*0\r\n>3\r\n$7\r\ndockipc\r\n$8\r\nprogress\r\n*3\r\n:1\r\n:1\r\n$5\r\npanel\r\n:1\r\n";
    assert!(answer.ends_with(frame), "{}", answer.escape_ascii());
}

#[test]
fn others_are_served_while_the_loop_is_busy() {
    let mut desk = Desk::start(Server::new());
    let waiting: Vec<_> = (0..20).map(|_| desk.send("add-layer x\n")).collect();
    let next = desk.next();
    assert_eq!(desk.daemon.ask("quick\n"), "1");
    next.run(&mut desk.ui);
    (1..20).for_each(|_| desk.run_next());
    assert!(waiting.into_iter().all(|stream| rest(stream).ends_with(b"x\n")));
}

#[test]
fn pipeline_keeps_its_order_around_local() {
    let mut desk = Desk::start(Server::new());
    let calls: Vec<_> =
        ["quick", "clear-layers", "quick"].iter().flat_map(|name| resp(&[name])).collect();
    assert_eq!(desk.ask(calls, 1), ":1\r\n+OK\r\n:1\r\n");
}

#[test]
fn panic_in_a_job_is_an_answer() {
    let mut desk = Desk::start(Server::new());
    assert!(desk.ask("fall-here\n", 1).starts_with("-PANIC fall-here panicked"));
    assert_eq!(desk.ask("add-layer a\n", 1), "a\n");
}

#[test]
fn dropped_job_is_answered_as_not_run() {
    let desk = Desk::start(Server::new());
    let stream = desk.send("add-layer a\n");
    assert_eq!(format!("{:?}", desk.next()), "Job(\"add-layer\")");
    let why = "-SHUTDOWN the daemon's loop did not take the command; it was not run\n";
    assert_eq!(String::from_utf8(rest(stream)).unwrap(), why);
    // Our client doesn't send it again, or there would be a second job.
    let client = dockipc::Client::new(desk.daemon.path());
    let calling = thread::spawn(move || client.command("add-layer").arg("b").call::<()>());
    drop(desk.next());
    let error = calling.join().unwrap().unwrap_err();
    assert_eq!(error.failure().map(Failure::code), Some("SHUTDOWN"));
    let Desk { daemon, jobs, .. } = desk;
    assert!(jobs.try_recv().is_err());
    drop(jobs);
    assert!(daemon.ask("add-layer a\n").starts_with("-SHUTDOWN "));
}

#[test]
fn cancelled_job_never_runs() {
    let mut desk = Desk::start(Server::new());
    // Its client leaves.
    let stream = desk.send("add-layer a\n");
    let job = desk.next();
    drop(stream);
    until("an empty table", || desk.daemon.ask("dockipc running\n").is_empty());
    job.run(&mut desk.ui);
    // Its client ends its side of a call that our client opened.
    let stream = desk.send(opened(&["add-layer", "a"]));
    let job = desk.next();
    stream.shutdown(Shutdown::Write).unwrap();
    let why = "-CANCELLED the command was cancelled before it began; it was not run\r\n";
    assert_eq!(String::from_utf8(rest(stream)).unwrap(), why);
    job.run(&mut desk.ui);
    // An operator cancels it.
    let mut stream = desk.send(resp(&["add-layer", "a"]));
    let job = desk.next();
    let list = exchange(desk.daemon.connect(), b"dockipc running\n");
    let list = String::from_utf8(list).unwrap();
    assert!(list.contains("\twaiting"), "{list}");
    let id = list.split('\t').nth(1).expect("an id");
    assert_eq!(desk.daemon.ask(format!("dockipc cancel {id}\n")), "");
    expect(&mut stream, why.as_bytes());
    job.run(&mut desk.ui);
    assert_eq!(desk.ui.layers.borrow().len(), 0);
}

#[test]
fn job_whose_time_has_passed_never_runs() {
    let mut desk = Desk::start(Server::new().run_timeout(Duration::from_millis(50)));
    let why = "-TIMEOUT the time for the command had passed before it began; it was not run";
    let mut stream = desk.send("add-layer a\n");
    let job = desk.next();
    expect(&mut stream, format!("{why}\n").as_bytes());
    job.run(&mut desk.ui);
    assert_eq!(desk.ui.layers.borrow().len(), 0);

    let mut desk = Desk::start(Server::new());
    let call = ["dockipc", "with", "deadline", "50", "--", "add-layer", "a"];
    let mut stream = desk.send(resp(&call));
    let job = desk.next();
    expect(&mut stream, format!("{why}\r\n").as_bytes());
    job.run(&mut desk.ui);
    assert_eq!(desk.ui.layers.borrow().len(), 0);
}

#[test]
fn job_that_runs_is_cancelled_by_its_client() {
    let mut desk = Desk::start(Server::new());
    let stream = desk.send("linger-here\n");
    let job = desk.next();
    let (done, ended) = channel();
    let running = thread::spawn(move || {
        job.run(&mut Ui::default());
        done.send(()).unwrap();
    });
    drop(stream);
    ended.recv_timeout(PATIENCE).expect("the end of the job");
    running.join().unwrap();
    assert_eq!(desk.ask("add-layer a\n", 1), "a\n");
}

#[test]
fn transaction_checks_local_without_the_loop() {
    let mut desk = Desk::start(Server::new());
    let input = [
        resp(&["multi"]),
        resp(&["everything", "left"]),
        resp(&["discard"]),
        resp(&["multi"]),
        resp(&["pick-here"]),
        resp(&["discard"]),
        resp(&["multi"]),
        resp(&["clear-layers"]),
        resp(&["quick"]),
        resp(&["everything", "top"]),
        resp(&["exec"]),
        resp(&["quit"]),
    ];
    let answer = desk.ask(input.concat(), 2);
    assert!(answer.starts_with("+OK\r\n-USAGE "), "{answer}");
    assert!(answer.contains("-ERR pick-here answers later and can't be queued"), "{answer}");
    let queued = "+QUEUED\r\n".repeat(3);
    assert!(answer.contains(&format!("{queued}*3\r\n+OK\r\n:1\r\n$")), "{answer}");
}

#[test]
fn deferred_answer_comes_from_the_loop() {
    let mut desk = Desk::start(Server::new());
    assert_eq!(desk.ask("pick-here true\n", 1), "-REFUSED not now\n");
    for client_waits in [false, true] {
        let mut stream = desk.send(resp(&["pick-here"]));
        if client_waits {
            // Its connection waits for the answer already when the command begins.
            until("a command that waits", || {
                desk.daemon.ask("dockipc running\n").contains("waiting")
            });
        }
        desk.run_next();
        let answer = desk.ui.picks.pop().expect("an answer");
        assert!(!answer.is_cancelled());
        assert!(answer.send(7));
        expect(&mut stream, b":7\r\n");
    }
    let mut stream = desk.send(resp(&["pick-here"]));
    desk.run_next();
    drop(desk.ui.picks.pop());
    expect(&mut stream, b"-ERR the command was dropped\r\n");
    assert_eq!(*desk.ui.ended.lock().unwrap(), []);
}

#[test]
fn cancelled_pick_tells_the_loop() {
    let mut desk = Desk::start(Server::new());
    let ended = Arc::clone(&desk.ui.ended);
    let told = |count| until("a function that is told", || ended.lock().unwrap().len() == count);
    // Its client leaves.
    let stream = desk.send("pick-here\n");
    desk.run_next();
    drop(stream);
    told(1);
    assert!(desk.ui.picks[0].is_cancelled());
    // Its client cancels the call.
    let stream = desk.send(opened(&["pick-here"]));
    desk.run_next();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(stream), b"-CANCELLED the command was cancelled\r\n");
    told(2);
    // Its deadline passes.
    let mut stream = desk.send(resp(&["dockipc", "with", "deadline", "300", "--", "pick-here"]));
    desk.run_next();
    expect(&mut stream, b"-TIMEOUT the time for the command has passed\r\n");
    told(3);
    // Its connection is ended by an operator.
    let mut stream = desk.daemon.connect();
    stream.write_all(&resp(&["client", "id"])).unwrap();
    let mut id = [0; 64];
    let length = stream.read(&mut id).unwrap();
    let id = std::str::from_utf8(&id[1..length]).unwrap().trim_end();
    stream.write_all(&resp(&["pick-here"])).unwrap();
    desk.run_next();
    assert_eq!(desk.daemon.ask(format!("client kill id {id}\n")), "1");
    told(4);
    let [left, cancelled, late, killed] = ended.lock().unwrap()[..] else { panic!("four") };
    assert_eq!([left, cancelled, killed], [Stopped::Cancelled; 3]);
    assert_eq!(late, Stopped::TimedOut);
    assert!(desk.ui.picks.into_iter().all(|answer| !answer.send(1)));
}

#[test]
fn pick_that_begins_too_late_tells_the_loop() {
    let mut desk = Desk::start(Server::new());
    let stream = desk.send("late-pick\n");
    let job = desk.next();
    let gate = GATE.clone();
    let running: JoinHandle<Vec<Stopped>> = thread::spawn(move || {
        let mut ui = Ui::default();
        job.run(&mut ui);
        let ended = ui.ended.lock().unwrap().clone();
        assert!(ui.picks[0].is_cancelled());
        ended
    });
    until("a job that runs", || gate.lock().unwrap().0);
    drop(stream);
    until("an empty table", || desk.daemon.ask("dockipc running\n").is_empty());
    gate.lock().unwrap().1 = true;
    assert_eq!(running.join().unwrap(), [Stopped::Cancelled]);
    assert_eq!(desk.ask("add-layer a\n", 1), "a\n");
}

/// Whether `late-pick` has begun, and whether it may end.
static GATE: std::sync::LazyLock<Arc<Mutex<(bool, bool)>>> = std::sync::LazyLock::new(Arc::default);

/// Answer later, from a function that returns when its client has left.
#[command]
fn late_pick(ui: Local<'_, Ui>) -> Result<Deferred<u64>, Failure> {
    let later = pick_here(ui, None);
    GATE.lock().unwrap().0 = true;
    until("the test", || GATE.lock().unwrap().1);
    later
}

#[test]
fn local_commands_count_as_running() {
    let mut desk = Desk::start(Server::new().max_running_per_user(1));
    let waiting = desk.send("add-layer a\n");
    let job = desk.next();
    assert!(desk.daemon.ask("add-layer b\n").starts_with("-BUSY "));
    job.run(&mut desk.ui);
    assert_eq!(rest(waiting), b"a\n");
    assert_eq!(desk.ask("add-layer c\n", 1), "a\nc\n");
}

#[test]
fn loop_may_be_the_closure_itself() {
    let layers = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&layers);
    let server = Server::new().state(String::new()).local(move |job: Job<Ui>| {
        job.run(&mut Ui::default());
        *counted.lock().unwrap() += 1;
    });
    let daemon = Daemon::start(server);
    assert_eq!(daemon.ask("add-layer a\n"), "a\\n");
    assert_eq!(*layers.lock().unwrap(), 1);
}
