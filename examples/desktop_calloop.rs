//! A desktop whose state belongs to one thread: the loop of a Wayland compositor, with calloop.
//!
//! `cargo run --example desktop_calloop [SOCKET]`

#[path = "desktop/ui.rs"]
mod ui;

use std::error::Error;
use std::ops::ControlFlow;

use calloop::EventLoop;
use calloop::channel::{Event, channel};
use ui::Ui;

/// The value that calloop gives to each event's function.
struct Desktop {
    ui: Ui,
    /// The server's result when it has stopped.
    result: dockipc::Result<()>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut event_loop = EventLoop::<Desktop>::try_new()?;
    let (sender, events) = channel();
    let ui = Ui::serve("desktop_calloop", move |event| drop(sender.send(event)));
    let mut desktop = Desktop { ui, result: Ok(()) };

    let signal = event_loop.get_signal();
    event_loop.handle().insert_source(events, move |event, (), desktop| {
        if let Event::Msg(event) = event
            && let ControlFlow::Break(result) = desktop.ui.handle(event)
        {
            desktop.result = result;
            signal.stop();
        }
    })?;
    event_loop.run(None, &mut desktop, |_| {})?;
    Ok(desktop.result?)
}
