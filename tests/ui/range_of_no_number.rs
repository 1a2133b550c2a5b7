//! A `range` whose parameter is no number, or an integer that gets fractions.

use dockipc::{Request, command};

#[command]
fn text(#[arg(range = 1..=3)] text: &str) -> &str {
    text
}

#[command]
fn count(#[arg(range = 0.5..=3.5)] count: u64) -> u64 {
    count
}

#[command]
fn request(#[arg(range = 1..=3)] request: &Request<'_>) -> u64 {
    request.id()
}

fn main() {
    text("");
    count(1);
    let _ = request;
}
