//! `#[command]` on a function without a body.

use dockipc::command;

struct Counter;

trait Count {
    #[command]
    fn count();
}

impl Count for Counter {
    fn count() {}
}

fn main() {
    Counter::count();
}
