//! `default` without a value.

use dockipc::command;

#[command]
fn add(#[arg(default)] n: u64) -> u64 {
    n
}

#[command]
fn sub(#[arg(default =)] n: u64) -> u64 {
    n
}

fn main() {
    add(1);
    sub(1);
}
