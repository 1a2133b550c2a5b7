//! Two `#[command]` attributes on one function.

use dockipc::command;

#[command("add")]
#[command("plus")]
fn add() {}

fn main() {
    add();
}
