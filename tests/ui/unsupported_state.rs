//! A state that threads cannot share.

use dockipc::{State, command};
use std::cell::Cell;

#[command]
fn count(total: State<Cell<u64>>) -> u64 {
    total.get()
}

fn main() {
    count(State::new(Cell::new(1)));
}
