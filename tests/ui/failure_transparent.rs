//! Variants that take the code of a field and have none.

use dockipc::Failure;

struct Plain;

#[derive(Failure)]
enum Mistake {
    #[code(transparent)]
    Plain(Plain),
}

#[derive(Failure)]
enum Other {
    #[code(transparent)]
    Unit,
    #[code(transparent)]
    Two(u8, u8),
    #[code(transparent, "BOTH")]
    Both(Mistake),
}

fn main() {}
