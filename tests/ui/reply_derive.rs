//! Types that cannot derive `Reply`, and attributes that it does not have.

use dockipc::{Reply, command};

#[derive(Reply)]
struct Pair(u8, u8);

#[command]
fn pair() -> Vec<Pair> {
    Vec::new()
}

#[derive(Reply)]
struct Nothing;

#[derive(Reply)]
enum Shape {
    Point,
    Circle(u8),
}

#[derive(Reply)]
struct Page<T> {
    items: Vec<T>,
}

#[derive(Reply)]
#[dockipc(rename = "job")]
struct Renamed {
    #[dockipc(rename = "number")]
    id: u64,
}

struct Opaque;

#[derive(Reply)]
struct Outer {
    id: u64,
    inner: Opaque,
}

fn main() {}
