//! Parameters that can be neither parsed nor injected.

use dockipc::command;

struct Point {
    x: i64,
}

#[command]
fn place(point: Point) -> i64 {
    point.x
}

#[command]
fn places(name: &str, points: Vec<Point>) -> String {
    format!("{name}{}", points.len())
}

#[command]
fn maybe(point: Option<Point>) -> bool {
    point.is_some()
}

#[command]
fn option(#[arg(long, default = "1")] point: Point) -> i64 {
    point.x
}

fn main() {
    place(Point { x: 1 });
    places("", Vec::new());
    maybe(None);
    option(Point { x: 1 });
}
