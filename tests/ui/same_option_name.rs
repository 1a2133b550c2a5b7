//! Two options with the same name.

use dockipc::command;

#[command]
fn say(#[arg(flag)] loud: bool, #[arg(long = "loud")] how: u8) -> String {
    format!("{loud}{how}")
}

fn main() {
    say(true, 1);
}
