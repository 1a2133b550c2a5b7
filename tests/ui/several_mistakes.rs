//! One run reports every mistake of a function.

use dockipc::command;

#[command("Add", quiet)]
async fn add<T>((a, b): (u64, u64), #[arg(nothing)] log: &mut String, t: T) {
    let _ = (a, b, log, t);
}

fn main() {
    drop(add((1, 2), &mut String::new(), 3));
}
