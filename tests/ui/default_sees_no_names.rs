//! A default that uses another parameter.

use dockipc::command;

#[command]
fn area(width: u64, #[arg(default = width + 0)] height: u64) -> u64 {
    width * height
}

fn main() {
    area(1, 1);
}
