//! Keys that are written twice.

use dockipc::{Arg, command};

#[command("add", hidden, idempotent, hidden, idempotent, crate = dockipc, crate = dockipc)]
fn add() {}

#[command]
fn say(
    #[arg(long, long = "loud")] text: &str,
    #[arg(secret, secret)] key: &str,
    #[arg(from_str)]
    #[arg(from_str)]
    number: u8,
) {
    let _ = (text, key, number);
}

#[derive(Arg)]
#[arg(crate = dockipc, crate = dockipc)]
enum Color {
    #[arg(name = "red", name = "crimson")]
    Red,
}

fn main() {
    add();
    say("", "", 1);
    let _ = Color::Red;
}
