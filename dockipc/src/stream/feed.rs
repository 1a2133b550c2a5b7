//! [`Feed`], through which the items of a stream go from the author's code to the connection.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
#[cfg(feature = "tokio")]
use std::task::{Context, Poll, Waker};

use crate::caught::caught;
use crate::error::{Failure, Stopped, code};
use crate::later::{Bell, ItemForm, Items, Later, Start, WhenStopped};
use crate::reply::{IntoReply, Reply, ReplyType, list};
use crate::wire::{Header, Outgoing, Protocol, encode};
use crate::workers::Workers;

/// The number of waiting bytes from which no further item is made.
const FULL: usize = 384 * 1024;

/// The most items that are collected for a client that takes a stream as one answer.
const MOST_COLLECTED: usize = 10_000;

/// The author's code that makes items and holds no thread while there is no room for them.
pub(super) trait Produce: Send {
    /// Makes items until there is no room or no further item.
    fn run(&mut self, feed: &Arc<Feed>) -> Ran;
}

/// Why a [`Produce`] has returned.
pub(super) enum Ran {
    Full,
    Ended(Result<(), Failure>),
}

/// Whether there is room for another item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    Free,
    Full,
}

/// The way of the items of one stream: the author's code pushes them, encoded for the client, and the connection
/// takes them when the client has taken the earlier ones.
pub(super) struct Feed {
    name: &'static str,
    form: ItemForm,
    /// The beginning of each message.
    messages: Option<Arc<[u8]>>,
    items: ItemType,
    format: Option<fn(Reply) -> Reply>,
    max_collected: usize,
    panicked: fn(&str) -> Reply,
    stopped: Arc<dyn Fn() -> Option<Stopped> + Send + Sync>,
    workers: Arc<dyn Workers>,
    /// The end.
    later: Later,
    has_begun: AtomicBool,
    /// Invariant: no code of the author's runs while this is locked, and no other lock is taken.
    state: Mutex<State>,
    /// Notified when there is room, and when nobody takes items any more.
    room: Condvar,
}

/// How items of one type are written.
#[derive(Clone, Copy)]
pub(super) struct ItemType {
    are_bytes: bool,
    /// The columns, if the rows are those of a table.
    header: Header,
    /// Makes one answer of all items.
    collect: fn(Vec<Reply>) -> Reply,
}

impl ItemType {
    pub(super) fn of<T: IntoReply>() -> Self {
        let are_bytes = matches!(T::REPLY_TYPE, ReplyType::Bytes);
        Self { are_bytes, header: T::HEADER, collect: list::<T> }
    }
}

#[derive(Default)]
struct State {
    /// The encoded items.
    out: Outgoing,
    collected: Vec<Reply>,
    /// The bytes of `collected`.
    size: usize,
    count: u64,
    /// Rung when an item comes, while the connection has taken all.
    bell: Option<Arc<dyn Bell>>,
    /// The code that waits for room without a thread.
    parked: Option<Box<dyn Produce>>,
    /// The task that waits for room or for its next item.
    #[cfg(feature = "tokio")]
    task: Option<Waker>,
    /// Why no further item is taken: the stream has ended, or was asked to stop.
    closed: Option<Stopped>,
}

impl Feed {
    pub(super) fn new(start: &Start<'_>, items: ItemType) -> Arc<Self> {
        let Start {
            name, form, messages, format, max_collected, panicked, stopped, workers, ..
        } = start;
        Arc::new(Self {
            name,
            form: *form,
            messages: messages.clone(),
            items,
            format: *format,
            max_collected: *max_collected,
            panicked: *panicked,
            stopped: Arc::clone(stopped),
            workers: Arc::clone(workers),
            later: Later::new(WhenStopped::Ends),
            has_begun: AtomicBool::new(false),
            state: Mutex::default(),
            room: Condvar::new(),
        })
    }

    pub(super) fn later(&self) -> &Later {
        &self.later
    }

    pub(super) fn set_begun(&self) {
        self.has_begun.store(true, Ordering::Relaxed);
    }

    /// Makes the items on a thread of the engine.
    pub(super) fn produce(self: &Arc<Self>, producer: Box<dyn Produce>) {
        let feed = Arc::clone(self);
        self.workers.run(self.name, Box::new(move || feed.run(producer)));
    }

    fn run(self: Arc<Self>, mut producer: Box<dyn Produce>) {
        self.set_begun();
        let end = loop {
            match caught(|| producer.run(&self)) {
                Some(Ran::Full) => match self.park(producer) {
                    None => return,
                    Some(again) => producer = again,
                },
                Some(Ran::Ended(end)) => break Some(end),
                None => break None,
            }
        };
        // The author's values are dropped before the end is told, as those of a function are.
        caught(|| drop(producer));
        match end {
            Some(end) => self.end(end),
            None => self.end_panicked(),
        }
    }

    /// Lets the code wait for room without a thread. Returns it if it need not wait.
    fn park(&self, producer: Box<dyn Produce>) -> Option<Box<dyn Produce>> {
        let mut state = self.lock();
        if state.closed.is_some() || state.out.len() < FULL {
            return Some(producer);
        }
        state.parked = Some(producer);
        None
    }

    /// Adds an item. An item that is an error ends the stream.
    pub(super) fn push(&self, item: Reply) -> Result<Room, Stopped> {
        if let Reply::Error(failure) = item {
            let closed = self.lock().closed;
            self.end(Err(failure));
            return Err(closed.unwrap_or(Stopped::Cancelled));
        }
        let mut state = self.lock();
        if let Some(why) = state.closed {
            return Err(why);
        }
        state.count += 1;
        if self.form == ItemForm::Collected {
            state.size += item.size();
            state.collected.push(item);
            if state.size > self.max_collected || state.collected.len() > MOST_COLLECTED {
                drop(state);
                self.end(Err(self.too_big()));
                return Err(Stopped::Cancelled);
            }
            return Ok(Room::Free);
        }
        let is_first = state.count == 1;
        let item = match self.format {
            Some(format) if self.form != ItemForm::Messages => format(item),
            _ => item,
        };
        let out = &mut state.out;
        if is_first {
            self.begin_table(out);
        }
        match self.form {
            ItemForm::Line => encode::reply(self.row(item), Protocol::Line, out),
            ItemForm::Values => encode::push_item(item, out),
            ItemForm::Rows | ItemForm::Collected => encode::push_item(self.row(item), out),
            ItemForm::Messages => {
                encode::message(self.messages.as_deref().unwrap_or_default(), item, out);
            }
        }
        let room = if state.out.len() < FULL { Room::Free } else { Room::Full };
        let bell = state.bell.take();
        drop(state);
        if let Some(bell) = bell {
            bell.ring();
        }
        Ok(room)
    }

    /// Waits for room, on a thread of the author's code.
    pub(super) fn wait_for_room(&self) -> Result<(), Stopped> {
        let mut state = self.lock();
        while state.closed.is_none() && state.out.len() >= FULL {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.closed.map_or(Ok(()), Err)
    }

    /// Returns why no further item is taken; for a task, or wakes it when there is room, or a reason.
    #[cfg(feature = "tokio")]
    pub(super) fn poll_room(&self, context: &Context<'_>) -> Poll<Result<(), Stopped>> {
        // A waker is the author's code, which is cloned and dropped without the lock.
        let task = context.waker().clone();
        let mut state = self.lock();
        if let Some(why) = state.closed {
            drop(state);
            return Poll::Ready(Err(why));
        }
        let has_room = state.out.len() < FULL;
        // Also with room: the task is woken when it is to stop, while it waits for its next item.
        let earlier = state.task.replace(task);
        drop(state);
        drop(earlier);
        if has_room { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    pub(super) fn closed(&self) -> Option<Stopped> {
        self.lock().closed
    }

    /// The stream ends. Further ends have no effect.
    ///
    /// Invariant: a stream that was closed, or whose command was asked to stop, is not whole, whatever its code returns.
    /// The code may see that it is to stop before the stream is closed.
    pub(super) fn end(&self, end: Result<(), Failure>) {
        // Without the lock: it may close the stream.
        let stopped = (self.stopped)();
        let (closed, collected) = {
            let mut state = self.lock();
            let closed = state.closed.replace(Stopped::Cancelled);
            if state.count == 0 && end.is_ok() {
                self.begin_table(&mut state.out);
            }
            (closed, std::mem::take(&mut state.collected))
        };
        let end = match closed.or(stopped) {
            Some(why) => Err(why.failure()),
            None => end,
        };
        self.later.complete(match end {
            Err(failure) => Reply::Error(failure),
            Ok(()) if self.form == ItemForm::Collected => (self.items.collect)(collected),
            Ok(()) => Reply::Ok,
        });
    }

    pub(super) fn end_panicked(&self) {
        if let Reply::Error(failure) = (self.panicked)(self.name) {
            self.end(Err(failure));
        }
    }

    fn too_big(&self) -> Failure {
        let (name, most) = (self.name, self.max_collected);
        Failure::new(
            code::TOOBIG,
            format_args!(
                "{name} answers with a stream of more than {MOST_COLLECTED} items or {most} bytes, too many for one answer; read it with `dockipc call`, as a line, with `Call::stream` of our client, or, if it is idempotent, with PSUBSCRIBE \"{name} …\""
            ),
        )
    }

    /// Appends the names of the columns, in front of the first item.
    fn begin_table(&self, out: &mut Outgoing) {
        if self.items.header.is_empty()
            || self.format.is_some()
            || !matches!(self.form, ItemForm::Line | ItemForm::Rows)
        {
            return;
        }
        let mut names = Vec::new();
        encode::header_row(self.items.header, &mut names);
        match self.form {
            ItemForm::Line => encode::reply(Reply::Bytes(names), Protocol::Line, out),
            _ => encode::push_item(Reply::Bytes(names), out),
        }
    }

    /// Returns an item as the bytes of line mode.
    fn row(&self, item: Reply) -> Reply {
        match item {
            Reply::Bytes(bytes) if self.items.are_bytes => Reply::Bytes(bytes),
            // A line of its own.
            Reply::Formed(formed) if formed.is_json => {
                Reply::Bytes(Reply::Formed(formed).into_line())
            }
            item if !self.items.header.is_empty() => {
                let mut row = Vec::new();
                encode::table_row(self.items.header, item, &mut row);
                Reply::Bytes(row)
            }
            item => encode::row_line(item),
        }
    }

    /// Unlocks the state, and wakes the code that waits for room or is to end.
    fn wake(
        room: &Condvar,
        mut state: MutexGuard<'_, State>,
        parked: impl FnOnce(Box<dyn Produce>),
    ) {
        let producer = state.parked.take();
        #[cfg(feature = "tokio")]
        let task = state.task.take();
        drop(state);
        room.notify_all();
        if let Some(producer) = producer {
            parked(producer);
        }
        #[cfg(feature = "tokio")]
        if let Some(task) = task {
            caught(|| task.wake());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Items for Feed {
    /// `Relaxed`: a thread that comes at the same moment may be late.
    fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Relaxed)
    }

    fn take(self: Arc<Self>, bell: &Arc<dyn Bell>, out: &mut Outgoing) {
        let mut state = self.lock();
        if state.out.is_empty() {
            let earlier = state.bell.replace(Arc::clone(bell));
            drop(state);
            drop(earlier);
            return;
        }
        out.append(&mut state.out);
        Self::wake(&self.room, state, |producer| self.produce(producer));
    }

    fn close(&self, why: Stopped) {
        let mut state = self.lock();
        state.closed.get_or_insert(why);
        Self::wake(&self.room, state, |producer| {
            // Its drop is the author's code and may block.
            self.workers.run(self.name, Box::new(move || drop(producer)));
        });
    }

    fn are_bytes(&self) -> bool {
        self.items.are_bytes
    }

    fn count(&self) -> u64 {
        self.lock().count
    }
}
