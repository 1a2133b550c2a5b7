//! Parameters that clients see by one name.

use dockipc::command;

#[command]
fn add(n: u64, _n: u64) -> u64 {
    n
}

fn main() {
    add(1, 2);
}
