//! An unsafe command.

use dockipc::command;

#[command]
unsafe fn add() {}

fn main() {
    unsafe { add() };
}
