//! Unknown keys of `#[command]`.

use dockipc::command;

#[command("add", help = "Adds.")]
fn add() {}

#[command("remove", secret)]
fn remove() {}

fn main() {
    add();
    remove();
}
