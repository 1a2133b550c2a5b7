//! A name in capitals.

use dockipc::command;

#[command("Add")]
fn add() {}

fn main() {
    add();
}
