//! Unknown keys of `#[arg]` at a parameter.

use dockipc::command;

#[command]
fn say(#[arg(optional)] text: &str) -> &str {
    text
}

#[command]
fn shout(#[arg(5)] text: &str) -> &str {
    text
}

#[command]
fn whisper(#[arg] text: &str) -> &str {
    text
}

fn main() {
    say("");
    shout("");
    whisper("");
}
