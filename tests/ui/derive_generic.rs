//! `Arg` on a generic type.

use dockipc::{Arg, command};

#[derive(Arg)]
#[arg(from_str)]
struct Wrapped<T>(T);

impl<T: std::str::FromStr> std::str::FromStr for Wrapped<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        text.parse().map(Self)
    }
}

#[command]
fn unwrap(wrapped: Wrapped<u64>) -> u64 {
    wrapped.0
}

fn main() {
    unwrap(Wrapped(1));
}
