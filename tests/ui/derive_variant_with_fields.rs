//! `Arg` on an enum with fields.

use dockipc::{Arg, command};

#[derive(Arg)]
enum Shape {
    Dot,
    Circle(u64),
    Square { side: u64 },
}

#[command]
fn draw(shape: Shape) -> u64 {
    match shape {
        Shape::Dot => 0,
        Shape::Circle(size) | Shape::Square { side: size } => size,
    }
}

fn main() {
    draw(Shape::Dot);
    draw(Shape::Circle(1));
    draw(Shape::Square { side: 1 });
}
