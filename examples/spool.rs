//! A queue of shell commands that run one after another.
//!
//! `cargo run --example spool [SOCKET]`
//!
//! The daemon creates the token that `clear` requires beside the socket. `docs/CLI.md` is about this daemon.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use dockipc::{Arg, Failure, Request, Server, State, command};

#[derive(Default)]
struct Spool {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    last: u64,
    is_paused: bool,
    jobs: BTreeMap<u64, Job>,
}

struct Job {
    command: String,
    priority: Priority,
    stage: Stage,
    output: Vec<u8>,
}

#[derive(Arg, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Priority {
    Low,
    Normal,
    High,
}

#[derive(Arg, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Running,
    Done,
    Failed,
}

/// Add a shell command to the queue and answer with its number.
///
/// It runs as the daemon's user after the jobs before it.
#[command]
fn add(
    spool: State<Arc<Spool>>,
    /// Which jobs it may overtake
    #[arg(long, default = "normal")]
    priority: Priority,
    /// The command, to the end of the line
    #[arg(rest)]
    command: &str,
) -> u64 {
    let mut queue = spool.lock();
    queue.last += 1;
    let (id, command) = (queue.last, command.to_owned());
    queue.jobs.insert(id, Job { command, priority, stage: Stage::Waiting, output: Vec::new() });
    spool.changed.notify_all();
    id
}

/// List the jobs: their numbers, stages and commands.
#[command(idempotent)]
fn list(
    spool: State<Arc<Spool>>,
    /// Only jobs in this stage
    #[arg(long)]
    stage: Option<Stage>,
) -> Vec<(u64, &'static str, String)> {
    let queue = spool.lock();
    let jobs = queue.jobs.iter().filter(|(_, job)| stage.is_none_or(|stage| stage == job.stage));
    jobs.map(|(id, job)| (*id, job.stage.name(), job.command.clone())).collect()
}

/// Wait until a job has ended.
#[command(idempotent)]
fn wait(
    spool: State<Arc<Spool>>,
    /// The number that `add` and `list` give
    #[arg(complete = numbers)]
    job: u64,
) -> Result<&'static str, Failure> {
    let mut queue = spool.lock();
    loop {
        match queue.job(job)?.stage {
            Stage::Waiting | Stage::Running => queue = spool.wait(queue),
            stage => return Ok(stage.name()),
        }
    }
}

/// Answer with the output of a job.
#[command(idempotent)]
fn output(
    spool: State<Arc<Spool>>,
    /// The number that `add` and `list` give
    #[arg(complete = numbers)]
    job: u64,
) -> Result<Vec<u8>, Failure> {
    Ok(spool.lock().job(job)?.output.clone())
}

/// Remove a waiting job from the queue.
#[command]
fn remove(
    spool: State<Arc<Spool>>,
    /// The number that `add` and `list` give
    #[arg(complete = numbers)]
    job: u64,
) -> Result<(), Failure> {
    let mut queue = spool.lock();
    if queue.job(job)?.stage != Stage::Waiting {
        return Err(Failure::new("TOOLATE", format!("job {job} has begun")));
    }
    queue.jobs.remove(&job);
    spool.changed.notify_all(); // Somebody may wait for it.
    Ok(())
}

/// Start no more jobs until `resume`.
#[command(idempotent, allow = "owner | uid:root")]
fn pause(spool: State<Arc<Spool>>) {
    spool.lock().is_paused = true;
}

/// Start jobs again.
#[command(idempotent, allow = "owner | uid:root")]
fn resume(spool: State<Arc<Spool>>) {
    spool.lock().is_paused = false;
    spool.changed.notify_all();
}

/// Remove the finished jobs and answer with their number.
#[command(allow = "token")]
fn clear(spool: State<Arc<Spool>>) -> usize {
    let mut queue = spool.lock();
    let before = queue.jobs.len();
    queue.jobs.retain(|_, job| matches!(job.stage, Stage::Waiting | Stage::Running));
    before - queue.jobs.len()
}

/// Returns the completions of a job's number.
fn numbers(request: &Request<'_>, prefix: &str) -> Vec<String> {
    let Some(spool) = request.state::<Arc<Spool>>() else { return Vec::new() };
    let numbers: Vec<_> = spool.lock().jobs.keys().map(u64::to_string).collect();
    numbers.into_iter().filter(|number| number.starts_with(prefix)).collect()
}

impl Spool {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'q>(&self, queue: MutexGuard<'q, Queue>) -> MutexGuard<'q, Queue> {
        self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the jobs and never returns.
    fn work(&self) {
        let mut queue = self.lock();
        loop {
            let Some((id, job)) = queue.next() else {
                queue = self.wait(queue);
                continue;
            };
            job.stage = Stage::Running;
            let command = job.command.clone();
            drop(queue);
            let (is_good, output) = run(&command);
            queue = self.lock();
            if let Some(job) = queue.jobs.get_mut(&id) {
                job.stage = if is_good { Stage::Done } else { Stage::Failed };
                job.output = output;
            }
            self.changed.notify_all();
        }
    }
}

impl Queue {
    fn job(&self, id: u64) -> Result<&Job, Failure> {
        let not_found = || Failure::new("NOTFOUND", format!("no job {id}"));
        self.jobs.get(&id).ok_or_else(not_found)
    }

    /// Returns the next job: the oldest of the highest priority.
    fn next(&mut self) -> Option<(u64, &mut Job)> {
        let jobs = self.jobs.iter_mut().filter(|(_, job)| job.stage == Stage::Waiting);
        let next = jobs.max_by_key(|(id, job)| (job.priority, u64::MAX - **id));
        next.filter(|_| !self.is_paused).map(|(id, job)| (*id, job))
    }
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// Runs a shell command. Returns whether it succeeded, and its output.
fn run(command: &str) -> (bool, Vec<u8>) {
    // Keeps standard output and standard error in order.
    match Command::new("sh").args(["-c", &format!("exec 2>&1\n{command}")]).output() {
        Ok(output) => (output.status.success(), output.stdout),
        Err(error) => (false, format!("sh: {error}\n").into_bytes()),
    }
}

/// Creates a token file if there is none.
fn make_token(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok() {
        return Ok(());
    }
    let mut random = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{:032x}", u128::from_ne_bytes(random))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let socket = examples::socket("spool");
    let token = socket.with_extension("token");
    make_token(&token).map_err(|e| format!("{}: {e}", token.display()))?;

    let spool = Arc::<Spool>::default();
    let worker = Arc::clone(&spool);
    thread::spawn(move || worker.work());
    examples::invite(&socket, ["add echo hello", "wait 1", "output 1"]);
    // Jobs run as this user, so nobody else may connect.
    Server::new().state(spool).mode(0o600).token_file(token).run(socket)?;
    Ok(())
}
