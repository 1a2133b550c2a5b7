//! A borrowed word that should live for ever.

use dockipc::command;

#[command]
fn keep(text: &'static str) -> &'static str {
    text
}

fn main() {
    keep("a");
}
