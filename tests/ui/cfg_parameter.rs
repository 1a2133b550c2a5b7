//! A parameter with `#[cfg]`.

use dockipc::command;

#[command]
fn add(n: u64, #[cfg(windows)] wide: u64) -> u64 {
    n
}

fn main() {
    add(1);
}
