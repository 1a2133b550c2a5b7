//! The smallest daemon.
//!
//! `cargo run --example hello [SOCKET]`

use dockipc::command;

/// Say hello.
#[command("hello-to")]
fn hello(name: String) -> String {
    format!("Hello, {name}!")
}

fn main() -> dockipc::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "/tmp/hello.sock".into());
    println!("Try: printf 'hello-to Ada\\n' | nc -U {path}");
    println!("Try: redis-cli -s {path} hello-to Ada");
    println!("Try: cargo run --example client {path} hello-to Ada");
    dockipc::run(path)
}
