//! A flag that is not a `bool`.

use dockipc::command;

#[command]
fn say(#[arg(flag)] times: u8) -> u8 {
    times
}

fn main() {
    say(1);
}
