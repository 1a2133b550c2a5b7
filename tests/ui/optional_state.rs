//! A state that could be missing.

use dockipc::{State, command};

#[command]
fn maybe(total: Option<State<u64>>) -> bool {
    total.is_some()
}

#[command]
fn borrowed(total: Option<&State<u64>>) -> bool {
    total.is_some()
}

#[command]
fn many(totals: Vec<State<u64>>) -> usize {
    totals.len()
}

fn main() {
    maybe(None);
    borrowed(None);
    many(Vec::new());
}
