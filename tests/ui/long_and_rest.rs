//! Two of `flag`, `long` and `rest` at one parameter.

use dockipc::command;

#[command]
fn say(#[arg(long, rest)] text: &str) -> &str {
    text
}

#[command]
fn shout(#[arg(flag)] #[arg(long)] loud: bool) -> bool {
    loud
}

fn main() {
    say("");
    shout(true);
}
