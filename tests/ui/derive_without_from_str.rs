//! `from_str` on a type that has none.

use dockipc::{Arg, command};

#[derive(Arg)]
#[arg(from_str)]
struct Point;

#[command]
fn place(_point: Point) {}

fn main() {
    place(Point);
}
