//! The queue's parameters and answers, and the trait of its clients. The daemon and its clients share them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use dockipc::client::Items;
use dockipc::{Arg, Args, Reply};

/// The tasks that a command is for: exactly one of these.
#[derive(Args, Clone, Debug, PartialEq)]
pub enum Selection {
    /// The tasks of a group.
    Group(#[arg(short)] String),
    /// All tasks.
    All,
    /// These tasks.
    Ids(Vec<u64>),
}

/// A task to add.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct NewTask {
    /// The directory in which it runs; by default that of the caller.
    #[arg(long, caller = "cwd")]
    pub path: Option<PathBuf>,
    /// Its environment, `KEY=VALUE` each; by default that of the caller.
    #[arg(long, caller = "env")]
    pub env: BTreeMap<String, String>,
    /// The group that it belongs to.
    #[arg(long, short, default = "default")]
    pub group: String,
    /// The tasks that must have succeeded before it starts.
    #[arg(long, short)]
    pub after: Vec<u64>,
    /// It waits until `enqueue`.
    #[arg(flag, short)]
    pub stashed: bool,
    /// It waits for this time before it is queued.
    #[arg(long, short)]
    pub delay: Option<Duration>,
    /// A text for people.
    #[arg(long, short, max_len = 100)]
    pub label: Option<String>,
    /// The program and its arguments.
    #[arg(last, min = 1)]
    pub command: Vec<String>,
}

impl NewTask {
    /// Returns a task without an environment, which is queued at once and runs in `/`.
    #[must_use]
    pub fn of(command: Vec<String>, group: &str, label: Option<String>) -> Self {
        Self {
            path: None,
            env: BTreeMap::new(),
            group: group.to_owned(),
            after: Vec::new(),
            stashed: false,
            delay: None,
            label,
            command,
        }
    }
}

/// A line of a file of tasks: the columns stand between tabs. `queue import - < tasks.tsv` sends such a file.
#[derive(Reply, Clone, Debug, PartialEq, Eq)]
#[dockipc(table)]
pub struct Line {
    /// A text for people.
    pub label: Option<String>,
    /// The program and its arguments, a column each.
    pub command: Vec<String>,
}

/// A signal for the processes of tasks.
#[derive(Arg, Clone, Copy, Debug, PartialEq, Eq)]
#[arg(ignore_case)]
pub enum Signal {
    /// Interrupt.
    #[arg(name = "sigint", alias = "int", alias = "2")]
    Int,
    /// Kill.
    #[arg(name = "sigkill", alias = "kill", alias = "9")]
    Kill,
    /// Terminate.
    #[arg(name = "sigterm", alias = "term", alias = "15")]
    Term,
}

/// A task that was added.
#[derive(Reply, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    /// Its number.
    pub task_id: u64,
    /// Its group starts no tasks.
    pub group_is_paused: bool,
}

/// A task.
#[derive(Reply, Clone, Debug, PartialEq)]
#[dockipc(table)]
pub struct Task {
    /// Its number.
    pub id: u64,
    /// The program and its arguments, as a shell would read them.
    pub command: String,
    /// The directory in which it runs.
    pub path: PathBuf,
    /// The group that it belongs to.
    pub group: String,
    /// A text for people.
    pub label: Option<String>,
    /// Where it is in its life. Last, because the variants have different numbers of columns.
    pub status: Status,
}

/// Where a task is in its life.
#[derive(Reply, Clone, Debug, PartialEq)]
pub enum Status {
    /// It waits for `enqueue`.
    Stashed {
        /// The time at which it is queued without that.
        enqueue_at: Option<SystemTime>,
    },
    /// It waits for a place in its group, and for other tasks.
    Queued,
    /// It runs.
    Running {
        /// When it began.
        start: SystemTime,
    },
    /// It has ended.
    Done {
        /// When it began.
        start: SystemTime,
        /// When it ended.
        end: SystemTime,
        /// How it ended.
        result: Outcome,
    },
    /// A newer daemon knows more.
    #[dockipc(other)]
    Unknown,
}

/// How a task ended.
#[derive(Reply, Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With the exit code 0.
    Success,
    /// With another exit code.
    Failed(i32),
    /// The program could not be started.
    FailedToSpawn(String),
    /// By a signal.
    Killed,
    /// A task before it has failed.
    DependencyFailed,
}

/// A group of tasks.
#[derive(Reply, Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// How many of its tasks run at a time; 0 is without a limit.
    pub parallel: u64,
    /// It starts no tasks.
    pub is_paused: bool,
}

/// The commands, as a client calls them.
#[dockipc::client]
pub trait Queue {
    /// Adds a task.
    fn add(&self, task: NewTask) -> dockipc::Result<Added>;

    /// Adds the tasks of a file.
    fn import(
        &self,
        #[arg(long)] group: Option<&str>,
        #[arg(items)] tasks: &mut (dyn Iterator<Item = Line> + Send),
    ) -> dockipc::Result<Vec<u64>>;

    /// Lists the tasks.
    #[command(idempotent)]
    fn status(&self, #[arg(long)] group: Option<&str>) -> dockipc::Result<Vec<Task>>;

    /// Removes tasks that do not run.
    fn remove(&self, ids: &[u64]) -> dockipc::Result<()>;

    /// Adds ended tasks once more, and returns their new numbers.
    fn restart(&self, ids: &[u64]) -> dockipc::Result<Vec<u64>>;

    /// Queues stashed tasks.
    #[command(idempotent)]
    fn enqueue(&self, tasks: Selection) -> dockipc::Result<Vec<u64>>;

    /// Sends a signal to the processes of tasks.
    fn kill(
        &self,
        tasks: Selection,
        #[arg(long)] signal: Option<Signal>,
    ) -> dockipc::Result<Vec<u64>>;

    /// Returns the ends of the output of tasks.
    #[command(idempotent)]
    fn log(
        &self,
        tasks: Selection,
        #[arg(long)] lines: Option<usize>,
    ) -> dockipc::Result<BTreeMap<u64, String>>;

    /// Follows the output of a task until its end.
    fn follow(&self, id: u64) -> dockipc::Result<Items<String>>;

    /// Waits until tasks have ended.
    #[command(idempotent)]
    fn wait(&self, tasks: Selection) -> dockipc::Result<()>;

    /// Lists the groups.
    #[command("group list", idempotent)]
    fn groups(&self) -> dockipc::Result<BTreeMap<String, Group>>;

    /// Adds a group.
    #[command("group add")]
    fn group_add(&self, name: &str, #[arg(long)] parallel: Option<u64>) -> dockipc::Result<()>;

    /// Removes a group, whose tasks then belong to the default group.
    #[command("group remove")]
    fn group_remove(&self, name: &str) -> dockipc::Result<()>;

    /// Sets a variable in the environment of a task that has not begun.
    #[command("env set", idempotent)]
    fn env_set(&self, id: u64, key: &str, value: &str) -> dockipc::Result<()>;

    /// Removes a variable from the environment of a task that has not begun.
    #[command("env unset", idempotent)]
    fn env_unset(&self, id: u64, key: &str) -> dockipc::Result<()>;

    /// Removes ended tasks, and returns their number.
    fn clean(&self, #[arg(flag)] successful_only: bool) -> dockipc::Result<u64>;
}

/// Returns the path of the daemon's socket: `$QUEUE_SOCKET`, or `queue.sock` in `$XDG_RUNTIME_DIR` or `/tmp`.
pub fn socket() -> PathBuf {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let place = || set("XDG_RUNTIME_DIR").unwrap_or_else(|| "/tmp".into()).join("queue.sock");
    set("QUEUE_SOCKET").unwrap_or_else(place)
}
