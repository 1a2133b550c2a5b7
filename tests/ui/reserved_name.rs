//! Names that the protocol uses.

use dockipc::command;

#[command("subscribe")]
fn listen() {}

#[command]
fn hello() {}

#[command("fine", alias = "quit")]
fn alias() {}

fn main() {
    listen();
    hello();
    alias();
}
