//! A command that does not come back.

use dockipc::command;

#[command]
fn stop() -> ! {
    std::process::exit(0)
}

fn main() {
    stop();
}
