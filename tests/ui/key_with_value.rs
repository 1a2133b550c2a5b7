//! Keys of `#[command]` that take no value.

use dockipc::command;

#[command("add", idempotent = true)]
fn add() {}

#[command("remove", hidden = "yes", idempotent)]
fn remove() {}

#[command("show", idempotent hidden)]
fn show() {}

#[command("list", idempotent(true))]
fn list() {}

fn main() {
    add();
    remove();
    show();
    list();
}
