//! A command with a lifetime parameter.

use dockipc::command;

#[command]
fn first<'a>(text: &'a str) -> &'a str {
    text.split('/').next().unwrap_or(text)
}

fn main() {
    first("a/b");
}
