//! A command that never returns.

use dockipc::command;

#[command]
fn stop() -> ! {
    std::process::exit(0)
}

fn main() {
    stop();
}
