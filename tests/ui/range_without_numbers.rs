//! A `range` that is no range of numbers, has none, or is outside of its type.

use dockipc::command;

#[command]
fn add(
    #[arg(range)] a: u64,
    #[arg(range = 5)] b: u64,
    #[arg(range = ..)] c: u64,
    #[arg(range = "a"..="z")] d: u64,
    #[arg(range = 10..=1)] e: u64,
    #[arg(range = 0..0)] f: u64,
    #[arg(range = 0..=300)] g: u8,
    #[arg(range = -1..)] h: Option<u32>,
    #[arg(range = MIN..)] i: u64,
) {
    let _ = (a, b, c, d, e, f, g, h, i);
}

const MIN: u64 = 1;

fn main() {
    add(1, 1, 1, 1, 1, 1, 1, None, MIN);
}
