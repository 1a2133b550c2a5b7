//! Defaults that the keys beside them refuse.

use dockipc::command;

#[command]
fn add(
    #[arg(default = 200, range = 0..=100)] a: u64,
    #[arg(default = 1.0, range = 0.0..1.0)] b: f64,
    #[arg(default = "a", min_len = 2)] c: &str,
    #[arg(default = "abc", max_len = 2)] d: &str,
    #[arg(default = "ABC", pattern = "[a-z]+")] e: &str,
) {
    let _ = (a, b, c, d, e);
}

fn main() {
    add(1, 1.0, "", "", "");
}
