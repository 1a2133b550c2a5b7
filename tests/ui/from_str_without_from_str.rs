//! `from_str` on parameters whose types have no `FromStr`.

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
