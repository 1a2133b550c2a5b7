//! Generic error types.

use dockipc::Failure;

#[derive(Failure)]
#[code("BAD")]
struct Bad<'a, T>(&'a T);

fn main() {}
