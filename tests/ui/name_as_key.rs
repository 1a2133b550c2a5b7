//! The name written with a key.

use dockipc::command;

#[command(name = "add")]
fn add() {}

fn main() {
    add();
}
