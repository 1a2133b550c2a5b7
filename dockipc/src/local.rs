//! [`Local`], a value of the author's own thread, and [`Job`], a command that waits to run there.
//!
//! Dispatch makes the jobs and gives each to the author's closure, which a [`Loop`] holds. Nothing in here runs
//! a command.

use std::any::{Any, TypeId, type_name};
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

/// A mutable value of the thread that the command runs on; injected as a parameter.
///
/// A command with this parameter runs where the program's own loop is, which has the value. Neither the value
/// nor what it refers to need be [`Send`]: this is for the state of a window system, a toolkit or an actor.
/// [`Server::local`](crate::Server::local) gets each such command as a [`Job`] and hands it to the loop.
///
/// ```standalone_crate
/// use dockipc::{Job, Local, Server, command};
/// use std::{cell::RefCell, rc::Rc, sync::mpsc::channel, thread};
///
/// struct Ui { layers: Rc<RefCell<Vec<String>>> }
///
/// /// Add a layer and answer with the number of layers.
/// #[command]
/// fn add_layer(ui: Local<'_, Ui>, name: String) -> usize {
///     ui.layers.borrow_mut().push(name);
///     ui.layers.borrow().len()
/// }
///
/// let (sender, jobs) = channel::<Job<Ui>>();
/// let daemon = Server::new().local(move |job| drop(sender.send(job))).spawn_in_process()?;
/// let client = daemon.client();
/// let calling = thread::spawn(move || client.command("add-layer").arg("panel").call::<usize>());
///
/// // The program's loop.
/// let mut ui = Ui { layers: Rc::default() };
/// for job in jobs.iter().take(1) {
///     job.run(&mut ui);
/// }
/// assert_eq!(calling.join().unwrap()?, 1);
///
/// // The command stays a function.
/// assert_eq!(add_layer(Local::new(&mut ui), "dock".into()), 2);
/// # Ok::<(), dockipc::Error>(())
/// ```
///
/// A command has one `Local` at most, beside any other parameters, and its result can be a
/// [`Deferred`](crate::Deferred). It can't be async. While it runs it has the loop's thread, so it should be
/// quick. If the server has no [`local`](crate::Server::local) for the type, it does not start.
pub struct Local<'r, C>(
    /// Invariant: `None` only while the words of a command are checked; then its function is not called.
    Option<&'r mut C>,
);

impl<'r, C> Local<'r, C> {
    /// Wraps a value, for example to call a command's function in a test.
    pub fn new(value: &'r mut C) -> Self {
        Self(Some(value))
    }

    /// Stands for the value of a command whose words are only checked.
    pub(crate) fn unused() -> Self {
        Self(None)
    }
}

impl<C> Deref for Local<'_, C> {
    type Target = C;

    fn deref(&self) -> &C {
        match &self.0 {
            Some(value) => value,
            None => unreachable!("a command that is only checked does not run"),
        }
    }
}

impl<C> DerefMut for Local<'_, C> {
    fn deref_mut(&mut self) -> &mut C {
        match &mut self.0 {
            Some(value) => value,
            None => unreachable!("a command that is only checked does not run"),
        }
    }
}

impl<C: fmt::Debug> fmt::Debug for Local<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Local").field(&self.0).finish()
    }
}

/// A command that waits to run on the program's own thread: see [`Server::local`](crate::Server::local).
///
/// If it is dropped, the command is not run, and its client gets `-SHUTDOWN the daemon's loop did not take the
/// command; it was not run`.
#[must_use = "a job that is dropped is not run"]
pub struct Job<C> {
    work: Box<dyn Work>,
    value: PhantomData<fn(&mut C)>,
}

impl<C: 'static> Job<C> {
    /// Runs the command and gives the answer to its client. A panic of the command ends here and is answered
    /// with `-PANIC`.
    ///
    /// Returns at once if nobody waits for the command any more: it was cancelled, its client has left, or its
    /// deadline has passed.
    pub fn run(self, value: &mut C) {
        let outer = INSIDE_JOB.replace(true);
        self.work.run(value);
        INSIDE_JOB.set(outer);
    }
}

impl<C> Job<C> {
    /// Returns the command's name.
    pub fn name(&self) -> &str {
        self.work.name()
    }
}

impl<C> fmt::Debug for Job<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Job").field(&self.name()).finish()
    }
}

thread_local! {
    static INSIDE_JOB: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether this thread runs a job.
pub(crate) fn is_inside_job() -> bool {
    INSIDE_JOB.get()
}

/// A command that is to run on the author's thread. Dispatch implements it.
pub(crate) trait Work: Send {
    fn name(&self) -> &str;

    /// Runs the command with the author's value. A panic of the author's code is caught.
    fn run(self: Box<Self>, value: &mut (dyn Any + 'static));
}

/// The loops of a server, one for each type of value.
#[derive(Default)]
pub(crate) struct Loops(Vec<Loop>);

/// A loop of the author's.
pub(crate) struct Loop {
    /// The type of its value.
    id: TypeId,
    type_name: &'static str,
    send: Box<dyn Fn(Box<dyn Work>) + Send + Sync>,
    place: Arc<Place>,
}

/// The thread that a loop is on. Jobs refer to it, and not to the author's closure: a closure that has the
/// sender of a channel is dropped although jobs are in the channel.
#[derive(Default)]
pub(crate) struct Place(Mutex<Whereabouts>);

#[derive(Default)]
struct Whereabouts {
    /// The thread that ran the last job.
    thread: Option<ThreadId>,
    /// The thread runs no more jobs, since it waits for the server's end.
    has_left: bool,
}

impl Loops {
    pub(crate) fn add<C: 'static>(&mut self, send: impl Fn(Job<C>) + Send + Sync + 'static) {
        self.0.push(Loop {
            id: TypeId::of::<C>(),
            type_name: type_name::<C>(),
            send: Box::new(move |work| send(Job { work, value: PhantomData })),
            place: Arc::default(),
        });
    }

    pub(crate) fn get(&self, id: TypeId) -> Option<&Loop> {
        self.0.iter().find(|one| one.id == id)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the name of a type that has two loops.
    pub(crate) fn duplicate(&self) -> Option<&'static str> {
        let twice = |i: usize| self.0[..i].iter().any(|one| one.id == self.0[i].id);
        (0..self.0.len()).find(|&i| twice(i)).map(|i| self.0[i].type_name)
    }

    /// Notes that this thread runs no more jobs. Returns the types of the loops that are on it; with `unknown`,
    /// also of those whose thread isn't known.
    pub(crate) fn leave(&self, unknown: bool) -> Vec<TypeId> {
        let here = Some(thread::current().id());
        let left = self.0.iter().filter(|one| {
            let mut place = one.place.lock();
            place.has_left |= place.thread == here || unknown && place.thread.is_none();
            place.has_left
        });
        left.map(|one| one.id).collect()
    }
}

impl Loop {
    pub(crate) fn place(&self) -> &Arc<Place> {
        &self.place
    }

    /// Hands over a command. A loop that runs no more jobs gets none.
    pub(crate) fn send(&self, work: Box<dyn Work>) {
        if !self.place.lock().has_left {
            (self.send)(work);
        }
    }
}

impl Place {
    /// Notes that this thread runs a job.
    pub(crate) fn note(&self) {
        self.lock().thread = Some(thread::current().id());
    }

    fn lock(&self) -> MutexGuard<'_, Whereabouts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
