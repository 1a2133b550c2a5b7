//! A name that is no string.

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
