//! A generic command.

use dockipc::command;

#[command]
fn show<T: ToString>(value: T) -> String {
    value.to_string()
}

#[command]
fn fill<const N: usize>() -> Vec<u8> {
    vec![0; N]
}

fn main() {
    show(1);
    fill::<2>();
}
