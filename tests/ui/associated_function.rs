//! A function inside an `impl`.

use dockipc::command;

struct Counter;

impl Counter {
    #[command]
    fn total() -> u64 {
        1
    }
}

fn main() {
    Counter::total();
}
