//! An error that can't be said in words.

use dockipc::command;

struct Mistake;

#[command]
fn fails() -> Result<u64, Mistake> {
    Err(Mistake)
}

fn main() {
    let _ = fails();
}
