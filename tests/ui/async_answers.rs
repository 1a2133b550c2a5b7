//! The answers of async commands.

use dockipc::{Deferred, command};

struct Unknown;

#[command]
async fn none() -> Unknown {
    Unknown
}

#[command]
async fn later() -> Deferred<u64> {
    Deferred::new().0
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
