//! Two names without `alias`.

use dockipc::command;

#[command("add", "plus")]
fn add() {}

fn main() {
    add();
}
