//! Keys of `#[arg(…)]` that take no value, and names of options that are not strings.

use dockipc::{Arg, command};

#[command]
fn say(
    #[arg(from_str = true)] a: u8,
    #[arg(long("loud"))] b: u8,
    #[arg(flag = true)] c: bool,
    #[arg(secret rest)] d: &str,
    #[arg(rest = "text")] e: &str,
) {
    let _ = (a, b, c, d, e);
}

#[derive(Arg)]
#[arg(from_str(true))]
struct Number(u8);

#[derive(Arg)]
enum Color {
    #[arg(name)]
    Red,
}

fn main() {
    say(1, 1, true, "", "");
    let _ = (Number(1), Color::Red);
}
