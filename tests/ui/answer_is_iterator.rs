//! Answers that are iterators.

use dockipc::{Failure, command};

#[command]
fn lazy() -> impl Iterator<Item = u64> {
    0..3
}

#[command]
fn fallible() -> Result<impl DoubleEndedIterator<Item = u64> + use<>, Failure> {
    Ok(0..3)
}

fn main() {
    let _ = lazy();
    let _ = fallible();
}
