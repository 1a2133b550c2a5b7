//! `rest` on a list.

use dockipc::command;

#[command]
fn say(#[arg(rest)] words: Vec<String>) -> String {
    words.concat()
}

fn main() {
    say(Vec::new());
}
