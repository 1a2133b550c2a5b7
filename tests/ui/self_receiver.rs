//! A method as a command.

use dockipc::command;

struct Counter(u64);

impl Counter {
    #[command]
    fn total(&self) -> u64 {
        self.0
    }
}

fn main() {
    Counter(1).total();
}
