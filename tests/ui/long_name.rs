//! A command name that is too long.

use dockipc::command;

#[command("a1234567890123456789012345678901234567890123456789012345678901234")]
fn long() {}

fn main() {
    long();
}
