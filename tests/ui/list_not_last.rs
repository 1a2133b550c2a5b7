//! A parameter after one that takes all remaining words.

use dockipc::command;

#[command]
fn sum(numbers: Vec<u64>, unit: Option<&str>) -> String {
    format!("{}{unit:?}", numbers.iter().sum::<u64>())
}

#[command]
fn say(#[arg(rest)] text: &str, to: &str) -> String {
    format!("{text}{to}")
}

fn main() {
    sum(vec![1], None);
    say("a", "b");
}
