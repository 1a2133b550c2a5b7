use dockipc::command;

#[command]
fn count() -> impl std::fmt::Display {
    1
}

fn main() {}
