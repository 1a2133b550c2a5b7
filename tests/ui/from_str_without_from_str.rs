//! `from_str` on a type that has none.

use dockipc::command;

struct Point;

#[command]
fn place(#[arg(from_str)] _point: Point) {}

#[command]
fn maybe(#[arg(from_str)] _point: Option<Point>) {}

fn main() {
    place(Point);
    maybe(None);
}
