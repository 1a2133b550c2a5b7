//! Two defaults for one parameter.

use dockipc::command;

#[command]
fn add(#[arg(default = 1, default = 2)] n: u64) -> u64 {
    n
}

fn main() {
    add(1);
}
