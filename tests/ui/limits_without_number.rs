//! Limits that are no numbers, exclude each other, or are written twice.

use dockipc::command;

#[command]
fn say(
    #[arg(min_len)] a: &str,
    #[arg(max_len = "5")] b: &str,
    #[arg(min_len = 5, max_len = 4)] c: &str,
    #[arg(min_len = 5, min_len = 4)] d: &str,
    #[arg(min = 3, max = 2)] e: Vec<String>,
) {
    let _ = (a, b, c, d, e);
}

fn main() {
    say("", "", "", "", vec![]);
}
