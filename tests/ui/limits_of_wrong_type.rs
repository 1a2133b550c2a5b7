//! Lengths of a number, a count of one word, and a pattern of a number.

use dockipc::command;

#[command]
fn length(#[arg(min_len = 1)] n: u64) -> u64 {
    n
}

#[command]
fn count(#[arg(min = 1)] n: u64) -> u64 {
    n
}

#[command]
fn most(#[arg(long, max = 3)] name: Option<String>) -> Option<String> {
    name
}

#[command]
fn pattern(#[arg(pattern = "[0-9]+")] n: u64) -> u64 {
    n
}

fn main() {
    length(1);
    count(1);
    most(None);
    pattern(1);
}
