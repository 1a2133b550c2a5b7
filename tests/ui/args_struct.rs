//! Mistakes in structs that derive `Args`.

use dockipc::{Args, State, command};

#[derive(Args)]
struct Unnamed(u64);

#[derive(Args)]
struct Empty {}

#[derive(Args)]
struct Generic<T> {
    value: T,
}

#[derive(Args)]
struct Injected {
    total: State<u64>,
}

#[derive(Args)]
struct Order {
    rest: Vec<u64>,
    last: u64,
}

#[derive(Args)]
struct Options {
    #[arg(long = "same")]
    one: u64,
    #[arg(flag = "same")]
    other: bool,
}

#[derive(Args)]
#[arg(long)]
struct Key {
    #[arg(shrt)]
    one: u64,
}

struct Point;

#[derive(Args)]
struct NoArg {
    point: Point,
}

#[command]
fn place(_: Unnamed, point: NoArg) {
    drop(point);
}

fn main() {}
