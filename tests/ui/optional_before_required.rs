//! A required parameter after an optional one.
#![allow(deprecated)]
use dockipc::command;

#[command]
fn copy(from: Option<&str>, to: &str) -> String {
    format!("{from:?}{to}")
}

#[command("move")]
fn rename(#[arg(default = "x")] from: &str, to: &str) -> String {
    format!("{from}{to}")
}

fn main() {
    copy(None, "b");
    rename("a", "b");
}
