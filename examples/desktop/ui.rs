//! A small desktop: its state, which belongs to one thread, and its commands, which run there. The examples
//! `desktop`, `desktop_calloop` and `desktop_glib` have it, each with a loop of another kind.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use dockipc::{Answerer, Deferred, Failure, Job, Local, Reply, Server, Stop, command};

/// A message to the loop.
pub(crate) enum Event {
    /// A command that is to run.
    Command(Job<Ui>),
    /// The caller of `pick-window` waits no longer.
    PickEnded,
    /// The server has stopped.
    ServerEnded(dockipc::Result<()>),
}

/// The state of the desktop. It isn't `Send`.
pub(crate) struct Ui {
    windows: BTreeMap<u64, Rc<RefCell<Window>>>,
    focused: Option<Rc<RefCell<Window>>>,
    cursor: Cursor,
    /// The answer to `pick-window`.
    picking: Option<Answerer<u64>>,
    send: Arc<dyn Fn(Event) + Send + Sync>,
}

struct Window {
    title: String,
}

#[derive(Clone, Copy, Reply)]
enum Cursor {
    Arrow,
    Crosshair,
}

/// List the windows: their numbers, titles, and which has the focus.
#[command(idempotent)]
fn windows(ui: Local<'_, Ui>) -> Vec<(u64, String, bool)> {
    let has_focus = |window| ui.focused.as_ref().is_some_and(|other| Rc::ptr_eq(other, window));
    let rows = ui.windows.iter();
    rows.map(|(id, window)| (*id, window.borrow().title.clone(), has_focus(window))).collect()
}

/// Open a window and answer with its number.
#[command]
fn open(
    mut ui: Local<'_, Ui>,
    /// Its title
    title: String,
) -> u64 {
    let id = ui.windows.last_key_value().map_or(1, |(last, _)| last + 1);
    let window = Rc::new(RefCell::new(Window { title }));
    ui.windows.insert(id, Rc::clone(&window));
    ui.focused = Some(window);
    id
}

/// Give the window with the focus another title.
#[command]
fn retitle(ui: Local<'_, Ui>, title: String) -> Result<(), Failure> {
    let no_window = || Failure::new("NOTFOUND", "no window has the focus");
    ui.focused.as_ref().ok_or_else(no_window)?.borrow_mut().title = title;
    Ok(())
}

/// Answer with the form of the cursor.
#[command(idempotent)]
fn cursor(ui: Local<'_, Ui>) -> Cursor {
    ui.cursor
}

/// Let the user click on a window, and answer with its number.
///
/// If the caller leaves before, the cursor gets its usual form back.
#[command]
fn pick_window(mut ui: Local<'_, Ui>) -> Result<Deferred<u64>, Failure> {
    if ui.picking.as_ref().is_some_and(|answer| !answer.is_cancelled()) {
        return Err(Failure::new("PICKING", "another caller waits for a click"));
    }
    let (later, answer) = Deferred::new();
    let send = Arc::clone(&ui.send);
    answer.on_cancel(move |_| send(Event::PickEnded));
    ui.picking = Some(answer);
    ui.cursor = Cursor::Crosshair;
    Ok(later)
}

/// Click on a window, as the user would.
#[command]
fn click(mut ui: Local<'_, Ui>, window: u64) -> Result<(), Failure> {
    let not_found = || Failure::new("NOTFOUND", format!("no window {window}"));
    let clicked = Rc::clone(ui.windows.get(&window).ok_or_else(not_found)?);
    match ui.picking.take() {
        Some(answer) => drop(answer.send(window)),
        None => ui.focused = Some(clicked),
    }
    ui.cursor = Cursor::Arrow;
    Ok(())
}

/// Stop the desktop.
#[command("stop", allow = "owner | uid:root")]
fn stop_desktop(stop: Stop) {
    stop.after_answer();
}

impl Ui {
    /// Serves the commands, and hands them to the loop with `send`.
    pub(crate) fn serve(name: &str, send: impl Fn(Event) + Send + Sync + 'static) -> Self {
        let send: Arc<dyn Fn(Event) + Send + Sync> = Arc::new(send);
        let (to_loop, at_end) = (Arc::clone(&send), Arc::clone(&send));
        let socket = examples::socket(name);
        examples::invite(&socket, ["open Terminal", "windows", "cursor"]);
        let server = Server::new().local(move |job| to_loop(Event::Command(job)));
        // Until SIGTERM, or the command `stop`.
        thread::spawn(move || at_end(Event::ServerEnded(server.run(socket))));
        let (windows, cursor) = (BTreeMap::new(), Cursor::Arrow);
        Self { windows, focused: None, cursor, picking: None, send }
    }

    /// Handles a message on the loop's thread. Breaks when the server has stopped.
    pub(crate) fn handle(&mut self, event: Event) -> ControlFlow<dockipc::Result<()>> {
        match event {
            Event::Command(job) => job.run(self),
            // Another caller may pick by now.
            Event::PickEnded => {
                if self.picking.take_if(|answer| answer.is_cancelled()).is_some() {
                    self.cursor = Cursor::Arrow;
                }
            }
            Event::ServerEnded(result) => return ControlFlow::Break(result),
        }
        ControlFlow::Continue(())
    }
}
