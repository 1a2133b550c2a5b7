//! Empty command names.

use dockipc::command;

#[command("")]
fn add() {}

#[command]
fn __() {}

fn main() {
    add();
    __();
}
