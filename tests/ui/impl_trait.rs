//! Parameters with `impl Trait` types.

use dockipc::command;

#[command]
fn show(value: impl ToString) -> String {
    value.to_string()
}

#[command]
fn join(values: Vec<impl ToString>) -> String {
    values.iter().map(ToString::to_string).collect()
}

fn main() {
    show(1);
    join(vec![1]);
}
