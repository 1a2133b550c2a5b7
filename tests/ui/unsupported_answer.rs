//! An answer that has no form on the wire.

use dockipc::command;

struct Point;

#[command]
fn origin() -> Point {
    Point
}

#[command]
fn points() -> Vec<Point> {
    Vec::new()
}

#[command]
fn maybe() -> Option<Point> {
    None
}

fn main() {
    origin();
    points();
    maybe();
}
