//! `newest` at a command that can't be stopped.

use dockipc::command;

#[command(newest)]
fn search(words: String) -> String {
    words
}

fn main() {
    search(String::new());
}
