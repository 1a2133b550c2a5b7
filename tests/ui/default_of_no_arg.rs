use dockipc::command;

struct Level;

#[command]
fn dim(#[arg(default = Level)] _level: Level) {}

fn main() {}
