//! Parameters without a name.

use dockipc::command;

#[command]
fn add((a, b): (u64, u64)) -> u64 {
    a + b
}

#[command]
fn ignore(_: u64) {}

fn main() {
    add((1, 2));
    ignore(1);
}
