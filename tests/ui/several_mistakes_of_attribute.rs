//! One run reports every mistake in `#[command(…)]`.

use dockipc::command;

#[command(
    "Add All",
    "plus",
    alias,
    alias = "hello",
    allow = "gruop:adm | owner | uid:",
    allow = "root",
    hidden = true,
    idempotent(true),
    name = "other",
    quiet,
    5
)]
fn add() {}

fn main() {
    add();
}
