//! Mistakes with a value of the author's thread.

use std::rc::Rc;

use dockipc::{Local, command};

struct Ui(Rc<str>);

#[command]
fn two(ui: Local<'_, Ui>, other: Local<'_, String>) -> bool {
    *ui.0 == **other
}

#[command]
async fn later(ui: Local<'_, String>) -> usize {
    ui.len()
}

#[command]
fn maybe(ui: Option<Local<'_, Ui>>) -> bool {
    ui.is_some()
}

fn main() {}
