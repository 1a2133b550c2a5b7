//! A map of values that no word is parsed to, a map in an `Option`, and another crate's type as an answer.

use std::collections::HashMap;
use std::process::Output;

use dockipc::command;

#[command]
fn outputs(outputs: HashMap<String, Output>) -> usize {
    outputs.len()
}

#[command]
fn nested(labels: Option<HashMap<String, String>>) -> bool {
    labels.is_none()
}

#[command]
fn output() -> std::io::Result<Output> {
    std::process::Command::new("true").output()
}

fn main() {
    outputs(HashMap::new());
    nested(None);
    let _ = output();
}
