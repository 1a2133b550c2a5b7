//! One run reports every mistake of a parameter.

use dockipc::command;

#[command]
fn flag(
    #[arg(flag = "--Loud", rest, default = 1, complete = names, secret, from_str, quiet)]
    _: &'static mut bool,
) {
}

#[command]
fn option(
    #[arg(long = times, default, complete = "names", default = 2)]
    #[arg(secret = true, 5)]
    #[cfg(unix)]
    (a, b): (impl ToString, impl ToString),
) {
    let _ = (a, b);
}

#[command]
fn last(#[arg(rest)] text: &str, #[arg(rest, from_str, default = 1)] more: Option<u8>) {
    let _ = (text, more);
}

fn main() {}
