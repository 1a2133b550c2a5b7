//! Aliases that repeat a name of the command.

use dockipc::command;

#[command("add", alias = "add")]
fn add() {}

#[command("remove", alias = "rm", alias = "rm")]
fn remove() {}

fn main() {
    add();
    remove();
}
