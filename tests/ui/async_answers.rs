//! The answers of async commands.

use dockipc::command;

struct Unknown;

#[command]
async fn none() -> Unknown {
    Unknown
}

#[command]
async fn never() -> ! {
    loop {}
}

#[command]
async fn list() -> impl Iterator<Item = u64> {
    0..9
}

fn main() {}
