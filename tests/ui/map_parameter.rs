//! A map as a parameter, and another crate's type as an answer.

use std::collections::HashMap;
use std::process::Output;

use dockipc::command;

#[command]
fn labels(labels: HashMap<String, String>) -> usize {
    labels.len()
}

#[command]
fn output() -> std::io::Result<Output> {
    std::process::Command::new("true").output()
}

fn main() {
    labels(HashMap::new());
    let _ = output();
}
