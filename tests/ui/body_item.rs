//! A body of items that nothing can be converted to.

use dockipc::{Body, command};

struct Row;

#[command]
fn import(rows: Body<Row>) {
    drop(rows);
}

fn main() {}
