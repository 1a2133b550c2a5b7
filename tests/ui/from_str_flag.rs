//! A flag with `from_str`.

use dockipc::command;

#[command]
fn say(#[arg(flag, from_str)] loud: bool) -> bool {
    loud
}

fn main() {
    say(true);
}
