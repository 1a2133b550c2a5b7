//! Types that cannot derive `Reply`, and attributes that it does not have.

use dockipc::{Reply, command};

#[derive(Reply)]
union Either {
    a: u8,
    b: u8,
}

#[command]
fn either() -> Vec<Either> {
    Vec::new()
}

#[derive(Reply)]
enum Nothing {}

#[derive(Reply)]
struct Tree(String, Vec<Tree>);

#[derive(Reply)]
#[dockipc(rename = "job")]
struct Renamed {
    #[dockipc(rename = "number")]
    id: u64,
    #[dockipc(name = "two words")]
    words: u64,
    #[dockipc(name)]
    name: u64,
    #[dockipc(name = "words")]
    other: u64,
    #[dockipc(name = "other")]
    #[dockipc(name = "twice")]
    same: u64,
    same_name: u64,
    #[dockipc(name = "same_name")]
    second: u64,
}

#[derive(Reply)]
struct Pair(u8, #[dockipc(name = "second")] u8);

#[derive(Reply)]
#[dockipc(other)]
enum Shape {
    Point,
    #[arg(name = "point")]
    Dot,
    #[dockipc(rename = "round")]
    Circle(u8),
    #[dockipc(other)]
    Unknown { word: String },
    #[dockipc(other)]
    First,
    #[dockipc(other, name = "any")]
    Second(String),
    #[dockipc(name = "one")]
    #[arg(name = "two")]
    Both,
}

#[derive(Reply)]
enum Wrong {
    Point,
    #[dockipc(other)]
    Other(u8),
}

struct Opaque;

#[derive(Reply)]
struct Outer {
    id: u64,
    inner: Opaque,
}

#[derive(Reply)]
enum Held {
    Empty,
    Full(Opaque),
}

#[derive(Reply)]
struct Page<T> {
    items: Vec<T>,
}

#[command]
fn page() -> Page<Opaque> {
    Page { items: Vec::new() }
}

fn main() {}

#[derive(Reply)]
#[dockipc(table)]
enum Word {
    One,
}

#[derive(Reply)]
#[dockipc(table, crate = dockipc)]
struct Row(u8, u8);
