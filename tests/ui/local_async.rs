//! An async command with a value of the author's thread that isn't `Send`.

use std::rc::Rc;

use dockipc::{Local, command};

#[command]
async fn later(ui: Local<'_, Rc<str>>) -> usize {
    ui.len()
}

fn main() {}
