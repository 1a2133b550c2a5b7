//! An async command.

use dockipc::command;

#[command]
async fn add() {}

fn main() {
    drop(add());
}
