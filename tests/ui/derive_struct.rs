//! `Arg` on a struct, and on a union.

use dockipc::{Arg, command};

#[derive(Arg)]
struct Point {
    x: u64,
}

#[derive(Arg)]
union Bits {
    word: u64,
}

#[command]
fn place(point: Point) -> u64 {
    point.x
}

fn main() {
    place(Point { x: 1 });
    let _ = Bits { word: 1 };
}
