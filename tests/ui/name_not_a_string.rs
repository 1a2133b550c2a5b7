//! Names that are not strings, and a missing comma.

use dockipc::command;

#[command(5)]
fn five() {}

#[command(add)]
fn add() {}

#[command("a" "b")]
fn missing_comma() {}

fn main() {
    five();
    add();
    missing_comma();
}
