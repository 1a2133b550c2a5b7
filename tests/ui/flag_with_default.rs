//! A flag with a default.

use dockipc::command;

#[command]
fn say(#[arg(flag, default = true)] loud: bool) -> bool {
    loud
}

fn main() {
    say(true);
}
