//! A counter that the commands share as state.
//!
//! `cargo run --example counter [SOCKET]`

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use dockipc::{Server, State, command};

/// The total. Its own type can't be confused with another number.
#[derive(Default)]
struct Counter(AtomicU64);

/// Add to the counter and answer with the new total.
#[command]
fn add(
    counter: State<Counter>,
    /// How much to add
    #[arg(default = 1)]
    n: u64,
) -> Result<u64, &'static str> {
    let add = |total: u64| total.checked_add(n);
    match counter.0.fetch_update(Relaxed, Relaxed, add) {
        Ok(before) => Ok(before + n),
        Err(_) => Err("counter overflow; reset the counter with `zero`"),
    }
}

/// Answer with the total.
#[command]
fn get(counter: State<Counter>) -> u64 {
    counter.0.load(Relaxed)
}

/// Reset the counter to 0 and answer with the old total.
///
/// The name `reset` is reserved for the protocol.
#[command("zero")]
fn reset(counter: State<Counter>) -> u64 {
    counter.0.swap(0, Relaxed)
}

fn main() -> dockipc::Result<()> {
    let socket = examples::socket("counter");
    examples::invite(&socket, ["add 2", "add", "get"]);
    Server::new().state(Counter::default()).run(socket)
}
