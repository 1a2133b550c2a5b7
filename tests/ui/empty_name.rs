//! A name without a character.

use dockipc::command;

#[command("")]
fn add() {}

#[command]
fn __() {}

fn main() {
    add();
    __();
}
