//! A command name in upper case.

use dockipc::command;

#[command("Add")]
fn add() {}

fn main() {
    add();
}
