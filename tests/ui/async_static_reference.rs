//! The words of a command live as long as its future.

use dockipc::{Request, command};

#[command]
async fn text(word: &'static str) -> usize {
    word.len()
}

#[command]
async fn bytes(word: &'static [u8]) -> usize {
    word.len()
}

#[command]
async fn whole(request: &'static Request<'static>) -> usize {
    request.name().len()
}

fn main() {}
