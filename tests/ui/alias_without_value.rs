//! `alias` without a name in quotes.

use dockipc::command;

#[command("add", alias)]
fn add() {}

#[command("remove", alias("rm"))]
fn remove() {}

#[command("list", alias = ls)]
fn list() {}

fn main() {
    add();
    remove();
    list();
}
