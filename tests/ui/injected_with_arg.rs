//! `#[arg]` on injected parameters.

use dockipc::{Peer, Request, State, command};

#[command]
fn total(#[arg(long)] total: State<u64>) -> u64 {
    *total
}

#[command]
fn who(#[arg(rest)] peer: &Peer) -> u32 {
    peer.uid()
}

#[command]
fn which(#[arg(default = 1)] request: &Request<'_>) -> u64 {
    request.id()
}

fn main() {
    total(State::new(1));
    let _ = (who, which);
}
