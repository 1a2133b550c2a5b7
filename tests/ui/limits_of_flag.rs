//! A flag with limits of a value.

use dockipc::command;

#[command]
fn say(#[arg(flag, range = 0..=1, pattern = "x", min = 1)] loud: bool) -> bool {
    loud
}

fn main() {
    say(true);
}
