//! Shell commands as jobs: started, waited for, watched, and stopped from elsewhere.
//!
//! `cargo run --example jobs [SOCKET]`
//!
//! A command that waits holds no thread of the server, and ends when its client leaves. The channels `jobs.started` and
//! `jobs.done` have an event for each job, and `jobs.running` the number of those that run.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use dockipc::events::Watch;
use dockipc::{
    Answerer, Cancel, Deadline, Deferred, Events, Failure, Progress, Server, State, Stop, Stopped,
    command,
};
use rustix::process::{Pid, Signal, kill_process_group};

struct Jobs {
    table: Mutex<Table>,
    /// The number of jobs that run, which clients watch.
    running: Watch<usize>,
}

#[derive(Default)]
struct Table {
    last: u64,
    jobs: BTreeMap<u64, Job>,
}

struct Job {
    command: String,
    process: Process,
    output: Option<String>,
    waiting: Vec<Answerer<String>>,
}

impl Jobs {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the clients how many jobs run, in the order of the changes.
    fn count_running(&self, table: &MutexGuard<'_, Table>) {
        let running = table.jobs.values().filter(|job| job.output.is_none()).count();
        self.running.set(running);
    }
}

impl Table {
    fn job(&mut self, id: u64) -> Result<&mut Job, Failure> {
        self.jobs.get_mut(&id).ok_or_else(|| Failure::new("NOJOB", format!("no job {id}")))
    }
}

/// A process that can be stopped while another thread reads its output.
#[derive(Clone)]
struct Process(Arc<Mutex<Child>>);

impl Process {
    fn start(command: &str) -> io::Result<(Self, ChildStdout)> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(command).stdin(Stdio::null()).stdout(Stdio::piped());
        shell.process_group(0);
        let mut child = shell.spawn()?;
        let output = child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        Ok((Self(Arc::new(Mutex::new(child))), output))
    }

    /// Reads the output, which ends when the process does. Calls the function with each line.
    fn output(&self, output: ChildStdout, line: impl Fn(&str)) -> io::Result<String> {
        let mut output = BufReader::new(output);
        let mut text = String::new();
        let mut start = 0;
        while output.read_line(&mut text)? > 0 {
            line(text[start..].trim_end());
            start = text.len();
        }
        self.child().wait()?;
        Ok(text)
    }

    /// Kills the shell and what it has started.
    fn kill(&self) {
        let mut child = self.child();
        // Its number belongs to it until somebody has waited for it.
        if let Ok(None) = child.try_wait() {
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
        }
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Run a shell command and answer with its output.
///
/// It is killed when the caller leaves, cancels the call, or has waited until its timeout. A caller that asks for the
/// progress sees the last line of the output.
#[command]
fn run(
    progress: Progress,
    /// The command, to the end of the line
    #[arg(rest)]
    command: &str,
) -> io::Result<Deferred<io::Result<String>>> {
    let (process, output) = Process::start(command)?;
    let (later, answer) = Deferred::new();
    let killed = process.clone();
    answer.on_cancel(move |_| killed.kill());
    thread::spawn(move || answer.send(process.output(output, |line| progress.say(line))));
    Ok(later)
}

/// Start a shell command as a job and answer with its number.
///
/// The event `jobs.started` has the number and the command, and `jobs.done` the number.
#[command]
fn start(
    jobs: State<Arc<Jobs>>,
    events: Events,
    /// The command, to the end of the line
    #[arg(rest)]
    command: &str,
) -> io::Result<u64> {
    let (process, output) = Process::start(command)?;
    let mut table = jobs.lock();
    table.last += 1;
    let id = table.last;
    let job = Job {
        command: command.to_owned(),
        process: process.clone(),
        output: None,
        waiting: Vec::new(),
    };
    table.jobs.insert(id, job);
    jobs.count_running(&table);
    drop(table);
    events.publish("jobs.started", (id, command));
    let jobs = Arc::clone(&jobs);
    thread::spawn(move || {
        let text = process.output(output, |_| ()).unwrap_or_else(|error| error.to_string());
        let mut table = jobs.lock();
        let Ok(job) = table.job(id) else { return };
        job.output = Some(text.clone());
        let waiting = std::mem::take(&mut job.waiting);
        jobs.count_running(&table);
        drop(table);
        events.publish("jobs.done", id);
        for answer in waiting {
            answer.send(text.clone());
        }
    });
    Ok(id)
}

/// Wait until a job has ended, and answer with its output.
#[command(idempotent)]
fn wait(
    jobs: State<Arc<Jobs>>,
    /// The number that `start` and `list` give
    job: u64,
) -> Result<Deferred<String>, Failure> {
    let (later, answer) = Deferred::new();
    let mut table = jobs.lock();
    let job = table.job(job)?;
    match job.output.clone() {
        Some(output) => {
            drop(table);
            answer.send(output);
        }
        None => job.waiting.push(answer),
    }
    Ok(later)
}

/// Kill a job. It stays in the list.
#[command("cancel", idempotent)]
fn cancel_job(
    jobs: State<Arc<Jobs>>,
    /// The number that `start` and `list` give
    job: u64,
) -> Result<(), Failure> {
    let process = jobs.lock().job(job)?.process.clone();
    process.kill();
    Ok(())
}

/// List the jobs: their numbers, stages and commands.
#[command(idempotent)]
fn list(jobs: State<Arc<Jobs>>) -> Vec<(u64, &'static str, String)> {
    let stage = |job: &Job| if job.output.is_some() { "ended" } else { "running" };
    jobs.lock().jobs.iter().map(|(id, job)| (*id, stage(job), job.command.clone())).collect()
}

/// Count the primes below a number.
///
/// With a timeout of the caller, it answers with the primes that it has found by then, and how far it has come.
#[command(idempotent)]
fn primes(
    below: u64,
    progress: Progress,
    cancel: Cancel,
    deadline: Deadline,
) -> Result<(u64, u64), Stopped> {
    let mut primes: Vec<u64> = Vec::new();
    for i in 2..below {
        if i % 256 == 0 {
            if deadline.left().is_some_and(|left| left.as_millis() < 50) {
                return Ok((primes.len() as u64, i));
            }
            cancel.check()?;
            progress.set(i, below);
        }
        if primes.iter().take_while(|&p| p * p <= i).all(|p| i % p != 0) {
            primes.push(i);
        }
    }
    Ok((primes.len() as u64, below))
}

/// Stop the daemon.
#[command(allow = "owner | uid:root")]
fn stop(jobs: State<Arc<Jobs>>, stop: Stop) {
    let processes: Vec<_> = jobs.lock().jobs.values().map(|job| job.process.clone()).collect();
    processes.iter().for_each(Process::kill);
    stop.after_answer();
}

fn main() -> dockipc::Result<()> {
    let socket = examples::socket("jobs");
    examples::invite(&socket, ["start sleep 60", "list", "cancel 1"]);
    let events = Events::new();
    let running = events.watch("jobs.running", 0);
    let jobs = Arc::new(Jobs { table: Mutex::default(), running });
    Server::new().events(events).state(jobs).run(socket)
}
