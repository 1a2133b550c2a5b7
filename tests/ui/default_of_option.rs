//! A default for an `Option`.

use dockipc::command;

#[command]
fn add(#[arg(default = 1)] n: Option<u64>) -> Option<u64> {
    n
}

#[command]
fn connect(#[arg(from_str, default = "::1")] to: Option<std::net::IpAddr>) -> bool {
    to.is_some()
}

fn main() {
    add(None);
    connect(None);
}
