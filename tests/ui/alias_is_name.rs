//! Aliases that say nothing new.

use dockipc::command;

#[command("add", alias = "add")]
fn add() {}

#[command("remove", alias = "rm", alias = "rm")]
fn remove() {}

fn main() {
    add();
    remove();
}
