//! A body of items that nothing can be converted to.

use dockipc::{Body, command};

struct Row {
    id: u64,
}

#[command]
fn import(rows: Body<Row>) -> u64 {
    rows.map(|row| row.map_or(0, |row| row.id)).sum()
}

fn main() {}
