//! Command names with characters that are not allowed.

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
