//! Answers of types that do not implement `IntoReply`.

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
