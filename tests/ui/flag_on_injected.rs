//! `#[arg(flag)]` on an injected parameter.

use dockipc::{Peer, State, command};

#[command]
fn total(#[arg(flag)] total: State<u64>) -> u64 {
    *total
}

#[command]
fn who(#[arg(flag = "peer")] peer: &Peer) -> u32 {
    peer.uid()
}

fn main() {
    total(State::new(1));
    let _ = who;
}
