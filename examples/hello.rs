//! The smallest daemon: one command.
//!
//! `cargo run --example hello [SOCKET]`

use dockipc::command;

/// Greet somebody.
#[command]
fn greet(name: &str) -> String {
    format!("Hello, {name}!")
}

fn main() -> dockipc::Result<()> {
    let socket = examples::socket("hello");
    examples::invite(&socket, ["greet Ada", "greet 'Ada Lovelace'", "help greet"]);
    dockipc::run(socket)
}
