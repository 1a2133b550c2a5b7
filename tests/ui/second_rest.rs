//! Two parameters with `rest`.

use dockipc::command;

#[command]
fn say(#[arg(rest)] text: &str, #[arg(rest)] more: &str) -> String {
    format!("{text}{more}")
}

fn main() {
    say("a", "b");
}
