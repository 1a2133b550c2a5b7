//! A desktop whose state belongs to one thread: the main loop of glib, as in GTK.
//!
//! `cargo run --features glib --example desktop_glib [SOCKET]` (Debian: libglib2.0-dev)

#[path = "desktop/ui.rs"]
mod ui;

use std::cell::RefCell;
use std::ops::ControlFlow;

use glib::MainLoop;
use ui::{Event, Ui};

thread_local! {
    /// The state, on the main thread.
    static UI: RefCell<Option<Ui>> = const { RefCell::new(None) };
    /// The server's result when it has stopped.
    static RESULT: RefCell<Option<dockipc::Result<()>>> = const { RefCell::new(None) };
}

fn handle(event: Event, main_loop: &MainLoop) {
    let handled = UI.with_borrow_mut(|ui| ui.as_mut().map(|ui| ui.handle(event)));
    if let Some(ControlFlow::Break(result)) = handled {
        RESULT.set(Some(result));
        main_loop.quit();
    }
}

fn main() -> dockipc::Result<()> {
    let main_loop = MainLoop::new(None, false);
    let to_quit = main_loop.clone();
    // Not `MainContext::invoke`, which runs the function on the calling thread before the loop runs.
    let ui = Ui::serve("desktop_glib", move |event| {
        let main_loop = to_quit.clone();
        glib::idle_add_once(move || handle(event, &main_loop));
    });
    UI.set(Some(ui));
    main_loop.run();
    RESULT.take().unwrap_or(Ok(()))
}
