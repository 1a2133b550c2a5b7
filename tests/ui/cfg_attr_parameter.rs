//! `#[arg]` in a `#[cfg_attr]`.

use dockipc::command;

#[command]
fn add(n: u64, #[cfg_attr(all(), arg(flag))] wide: bool) -> u64 {
    n + u64::from(wide)
}

#[command]
fn lint(#[cfg_attr(all(), allow(unused_variables))] n: u64) {}

fn main() {
    add(1, true);
    lint(1);
}
