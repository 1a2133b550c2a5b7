//! A pattern that is no regular expression, and one without quotes.

use dockipc::command;

#[command]
fn say(#[arg(pattern = "[a-z")] a: &str, #[arg(pattern = 5)] b: &str) {
    let _ = (a, b);
}

fn main() {
    say("", "");
}
