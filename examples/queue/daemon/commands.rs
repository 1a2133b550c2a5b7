//! The commands.

use std::collections::BTreeMap;

use dockipc::{Body, Cancel, Failure, State, Stream, command};
use queue_ipc::{Added, Group, Line, NewTask, Outcome, Selection, Signal, Status, Task};

use crate::queue::{Entry, Queue};

/// Add a task.
#[command]
fn add(queue: State<Queue>, task: NewTask) -> Result<Added, Failure> {
    queue.add(task)
}

/// Add the tasks of a file, and answer with their numbers. They run in `/` with an empty environment.
///
/// A task is added as soon as its line has come, and stays if a later line is refused.
#[command]
fn import(
    queue: State<Queue>,
    /// The group that they belong to
    #[arg(long, short, default = "default")]
    group: &str,
    tasks: Body<Line>,
) -> Result<Vec<u64>, Failure> {
    let add = |line: Result<Line, Failure>| {
        let Line { label, command } = line?;
        if command.is_empty() {
            return Err(Failure::new("USAGE", "a task has no command"));
        }
        queue.add(NewTask::of(command, group, label)).map(|added| added.task_id)
    };
    tasks.map(add).collect()
}

/// List the tasks.
#[command(readonly, idempotent)]
fn status(
    queue: State<Queue>,
    /// Only those of this group
    #[arg(long, short)]
    group: Option<String>,
) -> Vec<Task> {
    let state = queue.lock();
    let tasks = state.tasks.values().map(|entry| &entry.task);
    tasks.filter(|task| group.as_ref().is_none_or(|group| task.group == *group)).cloned().collect()
}

/// Remove tasks that do not run.
#[command(alias = "rm", destructive)]
fn remove(
    queue: State<Queue>,
    /// The tasks
    #[arg(min = 1)]
    ids: Vec<u64>,
) -> Result<(), Failure> {
    let mut state = queue.lock();
    for id in &ids {
        if let Status::Running { .. } = state.entry(*id)?.task.status {
            return Err(Failure::new("RUNNING", format!("task {id} runs: kill it first")));
        }
    }
    state.tasks.retain(|id, _| !ids.contains(id));
    Ok(())
}

/// Add ended tasks once more, and answer with their new numbers.
#[command(alias = "re")]
fn restart(queue: State<Queue>, #[arg(min = 1)] ids: Vec<u64>) -> Result<Vec<u64>, Failure> {
    let tasks: Result<Vec<_>, _> = {
        let mut state = queue.lock();
        ids.iter().map(|id| state.entry(*id).map(|entry| entry.again())).collect()
    };
    tasks?.into_iter().map(|task| queue.add(task).map(|added| added.task_id)).collect()
}

/// Queue stashed tasks.
#[command(idempotent)]
fn enqueue(queue: State<Queue>, tasks: Selection) -> Result<Vec<u64>, Failure> {
    queue.enqueue(&tasks)
}

/// Stash queued tasks.
#[command(idempotent)]
fn stash(queue: State<Queue>, tasks: Selection) -> Result<Vec<u64>, Failure> {
    queue.lock().selected(&tasks, |entry| match entry.task.status {
        Status::Queued => {
            entry.task.status = Status::Stashed { enqueue_at: None };
            true
        }
        _ => false,
    })
}

/// Send a signal to the processes of tasks.
#[command(destructive)]
fn kill(
    queue: State<Queue>,
    tasks: Selection,
    /// The signal
    #[arg(long, short, default = "sigterm")]
    signal: Signal,
) -> Result<Vec<u64>, Failure> {
    queue.lock().selected(&tasks, |entry| entry.kill(signal))
}

/// Show the ends of the output of tasks.
#[command(readonly, idempotent)]
fn log(
    queue: State<Queue>,
    tasks: Selection,
    /// The number of lines
    #[arg(long, short, range = 1.., default = 15)]
    lines: usize,
) -> Result<BTreeMap<u64, String>, Failure> {
    let mut outputs = BTreeMap::new();
    queue.lock().selected(&tasks, |entry| {
        let text = String::from_utf8_lossy(&entry.output).into_owned();
        let skipped = text.lines().count().saturating_sub(lines);
        let end = text.lines().skip(skipped).flat_map(|line| [line, "\n"]).collect();
        outputs.insert(entry.task.id, end);
        true
    })?;
    Ok(outputs)
}

/// Follow the output of a task until its end.
#[command(alias = "fo", readonly)]
fn follow(queue: State<Queue>, id: u64) -> Result<Stream<String>, Failure> {
    queue.lock().entry(id)?;
    let mut sent = 0;
    Ok(Stream::new(move |sink| {
        let mut state = queue.lock();
        while let Some(Entry { task, output, .. }) = state.tasks.get(&id) {
            let is_done = matches!(task.status, Status::Done { .. });
            if let Some(end) = output.iter().rposition(|byte| *byte == b'\n' || is_done)
                && end + 1 > sent
            {
                let text = String::from_utf8_lossy(&output[sent..=end]).into_owned();
                sent = end + 1;
                drop(state);
                for line in text.lines() {
                    sink.send(line.to_owned())?;
                }
                state = queue.lock();
            } else if is_done || sink.is_closed() {
                break;
            } else {
                state = queue.wait(state);
            }
        }
        Ok(())
    }))
}

/// Wait until tasks have ended.
#[command(idempotent)]
fn wait(queue: State<Queue>, cancel: &Cancel, tasks: Selection) -> Result<(), Failure> {
    let mut state = queue.lock();
    loop {
        cancel.check()?;
        let waiting =
            state.selected(&tasks, |entry| !matches!(entry.task.status, Status::Done { .. }))?;
        if waiting.is_empty() {
            return Ok(());
        }
        state = queue.wait(state);
    }
}

/// List the groups.
#[command("group list", readonly, idempotent)]
fn groups(queue: State<Queue>) -> BTreeMap<String, Group> {
    queue.lock().groups.clone()
}

/// Add a group.
#[command("group add")]
fn group_add(
    queue: State<Queue>,
    name: String,
    /// How many of its tasks run at a time; 0 is without a limit
    #[arg(long, short, default = 1)]
    parallel: u64,
) -> Result<(), Failure> {
    let mut state = queue.lock();
    if state.groups.contains_key(&name) {
        return Err(Failure::new("EXISTS", format!("there is a group {name}")));
    }
    state.groups.insert(name, Group { parallel, is_paused: false });
    Ok(())
}

/// Remove a group. Its tasks then belong to the default group.
#[command("group remove", alias = "group rm", destructive)]
fn group_remove(queue: State<Queue>, name: &str) -> Result<(), Failure> {
    if name == "default" {
        return Err(Failure::new("DEFAULT", "the default group can't be removed"));
    }
    let mut state = queue.lock();
    state.group(name)?;
    state.groups.remove(name);
    for entry in state.tasks.values_mut().filter(|entry| entry.task.group == name) {
        "default".clone_into(&mut entry.task.group);
    }
    Ok(())
}

/// Set how many tasks of a group run at a time.
#[command(idempotent)]
fn parallel(
    queue: State<Queue>,
    /// The number; 0 is without a limit
    count: u64,
    #[arg(long, short, default = "default")] group: &str,
) -> Result<(), Failure> {
    queue.lock().group(group)?.parallel = count;
    queue.start_tasks();
    Ok(())
}

/// Start no tasks of a group, or of all groups.
#[command(idempotent)]
fn pause(queue: State<Queue>, group: Option<String>) -> Result<(), Failure> {
    queue.set_paused(group.as_deref(), true)
}

/// Start tasks of a group again, or of all groups.
#[command(alias = "resume", idempotent)]
fn start(queue: State<Queue>, group: Option<String>) -> Result<(), Failure> {
    queue.set_paused(group.as_deref(), false)
}

/// Set a variable in the environment of a task that has not begun.
#[command("env set", idempotent)]
fn env_set(queue: State<Queue>, id: u64, key: String, value: String) -> Result<(), Failure> {
    queue.lock().entry(id)?.not_begun()?.env.insert(key, value);
    Ok(())
}

/// Remove a variable from the environment of a task that has not begun.
#[command("env unset", idempotent)]
fn env_unset(queue: State<Queue>, id: u64, key: &str) -> Result<(), Failure> {
    queue.lock().entry(id)?.not_begun()?.env.remove(key);
    Ok(())
}

/// Remove ended tasks, and answer with their number.
#[command(alias = "clear", destructive)]
fn clean(
    queue: State<Queue>,
    /// Only those that succeeded
    #[arg(flag, short)]
    successful_only: bool,
) -> usize {
    let mut state = queue.lock();
    let before = state.tasks.len();
    state.tasks.retain(|_, entry| match &entry.task.status {
        Status::Done { result, .. } => successful_only && *result != Outcome::Success,
        _ => true,
    });
    before - state.tasks.len()
}
