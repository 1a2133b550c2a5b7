//! A code at a field.

use dockipc::Failure;

#[derive(Failure)]
enum Mistake {
    #[code("LATE")]
    Late,
    Other(#[code("OTHER")] u8),
}

#[derive(Failure)]
#[code("BAD")]
struct Bad {
    #[code("OTHER")]
    reason: String,
}

fn main() {}
