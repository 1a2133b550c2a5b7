use dockipc::command;

#[command("wait", abort)]
fn wait() {}

fn main() {}
