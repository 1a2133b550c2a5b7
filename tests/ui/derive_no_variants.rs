//! An enum without a word.

use dockipc::Arg;

#[derive(Arg)]
enum Never {}

fn main() {
    let _: Option<Never> = None;
}
