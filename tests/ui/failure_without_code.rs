//! Types that derive `Failure` and have no code.

use dockipc::Failure;

#[derive(Failure)]
enum Mistake {
    Early,
    Late,
}

#[derive(Failure)]
struct Closed;

#[derive(Failure)]
#[code(name = "CLOSED")]
struct Named;

fn main() {}
