//! Names with characters that have a meaning of their own.

use dockipc::command;

#[command("a/b")]
fn slash() {}

#[command("-a")]
fn dash() {}

#[command]
fn grün() {}

#[command("fine", alias = "naïve")]
fn alias() {}

fn main() {
    slash();
    dash();
    grün();
    alias();
}
