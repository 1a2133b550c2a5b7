//! `#[command]` on items that are not functions.

use dockipc::command;

#[command]
struct Greeting;

/// Greets.
#[command("greet")]
#[derive(Clone)]
pub enum Greet {
    Formal,
}

#[command("inner")]
mod inner {
    pub const NUMBER: u8 = 1;
}

fn main() {
    let _ = (Greeting, Greet::Formal.clone(), inner::NUMBER);
}
