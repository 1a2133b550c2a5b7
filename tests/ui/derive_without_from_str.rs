//! `from_str` on a type without `FromStr`.

use dockipc::{Arg, command};

#[derive(Arg)]
#[arg(from_str)]
struct Point;

#[command]
fn place(_point: Point) {}

fn main() {
    place(Point);
}
