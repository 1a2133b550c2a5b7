//! Names of parameters that clients cannot see, or that are taken.

use dockipc::{Peer, Request, command};

#[command]
fn say(
    #[arg(name = "")] a: &str,
    #[arg(name = "b b")] b: &str,
    #[arg(name)] c: &str,
    #[arg(name = "e")] d: &str,
    e: &str,
    #[arg(name = "Loud", flag)] f: bool,
    #[arg(name = "peer")] g: Peer,
) {
    let _ = (a, b, c, d, e, f, g);
}

#[command]
fn request(#[arg(name = "it")] it: &Other<'_>) -> u64 {
    it.id()
}

/// Another name of the type, so that the macro does not see it.
type Other<'r> = Request<'r>;

fn main() {
    let _ = (say, request);
}
