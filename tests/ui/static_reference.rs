//! A parameter with the lifetime `'static`.

use dockipc::command;

#[command]
fn keep(text: &'static str) -> &'static str {
    text
}

fn main() {
    keep("a");
}
