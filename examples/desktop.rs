//! A desktop whose state belongs to one thread: a loop that receives from a channel of the standard library.
//!
//! `cargo run --example desktop [SOCKET]`

#[path = "desktop/ui.rs"]
mod ui;

use std::ops::ControlFlow;
use std::sync::mpsc::channel;

use ui::Ui;

fn main() -> dockipc::Result<()> {
    let (sender, events) = channel();
    let mut ui = Ui::serve("desktop", move |event| drop(sender.send(event)));
    for event in events {
        if let ControlFlow::Break(result) = ui.handle(event) {
            return result;
        }
    }
    Ok(())
}
