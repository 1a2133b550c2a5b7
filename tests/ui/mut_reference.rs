//! A parameter that is a mutable reference.

use dockipc::command;

#[command]
fn push(log: &mut Vec<String>, line: String) {
    log.push(line);
}

fn main() {
    push(&mut Vec::new(), String::new());
}
