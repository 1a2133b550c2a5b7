//! Nested lists and options.

use dockipc::command;

#[command]
fn a(values: Vec<Option<u64>>) -> usize {
    values.len()
}

#[command]
fn b(values: Option<Vec<u64>>) -> bool {
    values.is_some()
}

#[command]
fn c(#[arg(long)] values: Option<Option<u64>>) -> bool {
    values.is_some()
}

#[command]
fn d(values: Vec<Vec<u64>>) -> usize {
    values.len()
}

fn main() {
    a(Vec::new());
    b(None);
    c(None);
    d(Vec::new());
}
