use dockipc::{Body, Peer, command};

#[command]
fn upload(body: Body, peer: Peer) {
    drop((body, peer));
}

#[command]
fn revise(body: Body, name: String) {
    drop((body, name));
}

fn main() {}
