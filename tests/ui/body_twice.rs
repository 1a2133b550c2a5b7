use dockipc::{Body, command};

#[command]
fn upload(name: String, one: Body, other: Body) {
    drop((one, name, other));
}

fn main() {}
