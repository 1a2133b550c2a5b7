//! A default of another type.

use dockipc::command;

#[command]
fn add(#[arg(default = String::new())] n: u64) -> u64 {
    n
}

fn main() {
    add(1);
}
