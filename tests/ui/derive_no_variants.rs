//! `Arg` on an enum without variants.

use dockipc::Arg;

#[derive(Arg)]
enum Never {}

fn main() {
    let _: Option<Never> = None;
}
