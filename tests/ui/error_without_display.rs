//! An error type without `Display`.

use dockipc::command;

struct Mistake;

#[command]
fn fails() -> Result<u64, Mistake> {
    Err(Mistake)
}

fn main() {
    let _ = fails();
}
