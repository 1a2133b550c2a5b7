//! Literal defaults that an integer type does not accept.

use std::num::NonZeroU8;

use dockipc::command;

#[command]
fn too_large(#[arg(default = 300)] n: u8) -> u8 {
    n
}

#[command]
fn negative(#[arg(long, default = -1)] n: u64) -> u64 {
    n
}

#[command]
fn zero(#[arg(default = 0)] n: NonZeroU8) -> u8 {
    n.get()
}

#[command]
fn fraction(#[arg(default = 1.5)] n: i32) -> i32 {
    n
}

#[command]
fn text(#[arg(default = "many")] n: usize) -> usize {
    n
}

fn main() {
    too_large(1);
    negative(1);
    zero(NonZeroU8::MIN);
    fraction(1);
    text(1);
}
