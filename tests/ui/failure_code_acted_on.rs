//! Codes on which Redis clients act by themselves.

use dockipc::Failure;

#[derive(Failure)]
enum Mistake {
    #[code("LOADING")]
    Early,
    #[code("MOVED_AWAY")]
    Gone,
    #[code("APP_LOADING")]
    Fine,
}

#[derive(Failure)]
#[code("READONLY")]
struct Closed;

fn main() {}
