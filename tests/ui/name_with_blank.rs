//! A command name of two words.

use dockipc::command;

#[command("add all")]
fn add() {}

fn main() {
    add();
}
