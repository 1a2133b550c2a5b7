//! `last` on one word, in front of other parameters, twice, and beside `rest`.

use dockipc::command;

#[command]
fn one(#[arg(last)] command: &str) -> usize {
    command.len()
}

#[command]
fn front(#[arg(last)] command: Vec<String>, n: u64) -> u64 {
    n + command.len() as u64
}

#[command]
fn twice(#[arg(last)] a: Vec<String>, #[arg(last)] b: Vec<String>) -> usize {
    a.len() + b.len()
}

#[command]
fn beside(#[arg(rest)] text: &str, #[arg(last)] words: Vec<String>) -> usize {
    text.len() + words.len()
}

#[command]
fn option(#[arg(last, long)] words: Vec<String>) -> usize {
    words.len()
}

fn main() {
    let _ = (one("") + twice(vec![], vec![]) + beside("", vec![]) + option(vec![]), front(vec![], 1));
}
