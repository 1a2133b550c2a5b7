//! The tasks, and the processes of those that run.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use dockipc::Failure;
use dockipc::client::quote;
use queue_ipc::{Added, Group, NewTask, Outcome, Selection, Signal, Status, Task};
use rustix::process::{Pid, kill_process};

/// The queue. Clones are of the same one.
#[derive(Clone, Default)]
pub(crate) struct Queue(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<Inner>,
    /// Notified at each change of a task and of its output.
    changed: Condvar,
}

pub(crate) struct Inner {
    pub(crate) tasks: BTreeMap<u64, Entry>,
    pub(crate) groups: BTreeMap<String, Group>,
    last: u64,
}

/// A task, and what no caller sees of it.
pub(crate) struct Entry {
    pub(crate) task: Task,
    command: Vec<String>,
    /// The tasks that must have succeeded before.
    after: Vec<u64>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) output: Vec<u8>,
    process: Option<Pid>,
}

impl Queue {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change, at most for a moment: then the caller looks whether its client has left.
    pub(crate) fn wait<'s>(&self, state: MutexGuard<'s, Inner>) -> MutexGuard<'s, Inner> {
        let moment = Duration::from_millis(100);
        self.0.changed.wait_timeout(state, moment).unwrap_or_else(PoisonError::into_inner).0
    }

    pub(crate) fn add(&self, new: NewTask) -> Result<Added, Failure> {
        let mut state = self.lock();
        let group_is_paused = state.group(&new.group)?.is_paused;
        for id in &new.after {
            state.entry(*id)?;
        }
        let status = match (new.stashed, new.delay) {
            (false, None) => Status::Queued,
            (_, delay) => {
                Status::Stashed { enqueue_at: delay.map(|delay| SystemTime::now() + delay) }
            }
        };
        state.last += 1;
        let id = state.last;
        let NewTask { path, env, group, after, label, command, .. } = new;
        let path = path.unwrap_or_else(|| PathBuf::from("/"));
        let quoted: Vec<_> = command.iter().map(|word| quote(word)).collect();
        let task = Task { id, command: quoted.join(" "), path, group, label, status };
        state
            .tasks
            .insert(id, Entry { task, command, after, env, output: Vec::new(), process: None });
        drop(state);
        if let Some(delay) = new.delay {
            let queue = self.clone();
            thread::spawn(move || {
                thread::sleep(delay);
                let ids = Selection::Ids(vec![id]);
                // It may have been removed.
                let _ = queue.enqueue(&ids);
            });
        }
        self.start_tasks();
        Ok(Added { task_id: id, group_is_paused })
    }

    /// Queues stashed tasks.
    pub(crate) fn enqueue(&self, tasks: &Selection) -> Result<Vec<u64>, Failure> {
        let changed = self.lock().selected(tasks, |entry| {
            let is_stashed = matches!(entry.task.status, Status::Stashed { .. });
            if is_stashed {
                entry.task.status = Status::Queued;
            }
            is_stashed
        });
        self.start_tasks();
        changed
    }

    pub(crate) fn set_paused(&self, group: Option<&str>, is_paused: bool) -> Result<(), Failure> {
        let mut state = self.lock();
        match group {
            Some(name) => state.group(name)?.is_paused = is_paused,
            None => state.groups.values_mut().for_each(|group| group.is_paused = is_paused),
        }
        drop(state);
        self.start_tasks();
        Ok(())
    }

    /// Starts tasks as long as their groups have places.
    pub(crate) fn start_tasks(&self) {
        let mut state = self.lock();
        while let Some(id) = state.next() {
            let Some(entry) = state.tasks.get_mut(&id) else { break };
            let start = SystemTime::now();
            match entry.start() {
                Ok((child, output)) => {
                    entry.task.status = Status::Running { start };
                    entry.process = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
                    let queue = self.clone();
                    thread::spawn(move || queue.follow(id, start, child, output));
                }
                Err(error) => entry.end(start, Outcome::FailedToSpawn(error.to_string())),
            }
        }
        self.0.changed.notify_all();
    }

    /// Collects the output of a process until its end.
    fn follow(&self, id: u64, start: SystemTime, mut child: Child, mut output: io::PipeReader) {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = output.read(&mut buffer) {
            if let Some(entry) = self.lock().tasks.get_mut(&id) {
                entry.output.extend_from_slice(&buffer[..read]);
            }
            self.0.changed.notify_all();
        }
        let outcome = child.wait().map_or(Outcome::Killed, outcome);
        if let Some(entry) = self.lock().tasks.get_mut(&id) {
            entry.end(start, outcome);
        }
        self.start_tasks();
    }
}

impl Default for Inner {
    fn default() -> Self {
        let group = Group { parallel: 1, is_paused: false };
        Self {
            tasks: BTreeMap::new(),
            groups: BTreeMap::from([("default".to_owned(), group)]),
            last: 0,
        }
    }
}

impl Inner {
    pub(crate) fn entry(&mut self, id: u64) -> Result<&mut Entry, Failure> {
        let none = || Failure::new("NOTFOUND", format!("no task {id}"));
        self.tasks.get_mut(&id).ok_or_else(none)
    }

    pub(crate) fn group(&mut self, name: &str) -> Result<&mut Group, Failure> {
        let none = || Failure::new("NOTFOUND", format!("no group {name}"));
        self.groups.get_mut(name).ok_or_else(none)
    }

    /// Calls a function with each selected task, and returns the numbers of those for which it returns true.
    pub(crate) fn selected(
        &mut self,
        selection: &Selection,
        mut is: impl FnMut(&mut Entry) -> bool,
    ) -> Result<Vec<u64>, Failure> {
        match selection {
            Selection::All => {}
            Selection::Group(name) => drop(self.group(name)?),
            Selection::Ids(ids) => {
                for id in ids {
                    self.entry(*id)?;
                }
            }
        }
        let is_selected = |entry: &Entry| match selection {
            Selection::All => true,
            Selection::Group(name) => entry.task.group == *name,
            Selection::Ids(ids) => ids.contains(&entry.task.id),
        };
        let entries = self.tasks.values_mut().filter(|entry| is_selected(entry));
        Ok(entries.filter_map(|entry| is(entry).then_some(entry.task.id)).collect())
    }

    /// Returns a task that can start. Ends those that never can.
    fn next(&mut self) -> Option<u64> {
        for id in self.tasks.keys().copied().collect::<Vec<_>>() {
            let Entry { task, after, .. } = &self.tasks[&id];
            let Task { status: Status::Queued, group, .. } = task else { continue };
            let results = after.iter().map(|id| match &self.tasks.get(id)?.task.status {
                Status::Done { result, .. } => Some(*result == Outcome::Success),
                _ => None,
            });
            let results: Vec<_> = results.collect();
            if results.contains(&Some(false)) {
                let entry = self.tasks.get_mut(&id)?;
                entry.end(SystemTime::now(), Outcome::DependencyFailed);
                return self.next();
            }
            let is_running = |other: &&Entry| {
                other.task.group == *group && matches!(other.task.status, Status::Running { .. })
            };
            let running = self.tasks.values().filter(is_running).count();
            let Some(Group { parallel, is_paused: false }) = self.groups.get(group) else {
                continue;
            };
            let has_place =
                *parallel == 0 || running < usize::try_from(*parallel).unwrap_or(running);
            if has_place && !results.contains(&None) {
                return Some(id);
            }
        }
        None
    }
}

impl Entry {
    /// Starts the process. Its output, errors included, comes through the pipe.
    fn start(&self) -> io::Result<(Child, io::PipeReader)> {
        let (reader, writer) = io::pipe()?;
        let [program, arguments @ ..] = &self.command[..] else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.task.path).env_clear().envs(&self.env);
        command.stdout(writer.try_clone()?).stderr(writer).stdin(std::process::Stdio::null());
        Ok((command.spawn()?, reader))
    }

    fn end(&mut self, start: SystemTime, result: Outcome) {
        self.process = None;
        self.task.status = Status::Done { start, end: SystemTime::now(), result };
    }

    /// Returns the task as one that can be added.
    pub(crate) fn again(&self) -> NewTask {
        let task = self.task.clone();
        NewTask {
            path: Some(task.path),
            env: self.env.clone(),
            group: task.group,
            after: Vec::new(),
            stashed: false,
            delay: None,
            label: task.label,
            command: self.command.clone(),
        }
    }

    pub(crate) fn not_begun(&mut self) -> Result<&mut Self, Failure> {
        match self.task.status {
            Status::Queued | Status::Stashed { .. } => Ok(self),
            _ => Err(Failure::new("TOOLATE", format!("task {} has begun", self.task.id))),
        }
    }

    /// Sends a signal to the process, if there is one.
    pub(crate) fn kill(&self, signal: Signal) -> bool {
        let signal = match signal {
            Signal::Int => rustix::process::Signal::INT,
            Signal::Kill => rustix::process::Signal::KILL,
            Signal::Term => rustix::process::Signal::TERM,
        };
        self.process.is_some_and(|process| kill_process(process, signal).is_ok())
    }
}

fn outcome(status: ExitStatus) -> Outcome {
    match (status.code(), status.signal()) {
        (Some(0), _) => Outcome::Success,
        (Some(code), _) => Outcome::Failed(code),
        (None, _) => Outcome::Killed,
    }
}
