//! A reference to a value of the author's thread.

use dockipc::{Local, command};

#[command]
fn by_reference(ui: &Local<'_, String>) -> usize {
    ui.len()
}

fn main() {}
