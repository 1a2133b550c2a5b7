use dockipc::{Body, command};

#[command]
fn upload(one: Body, name: String, other: Body) {
    drop((one, name, other));
}

fn main() {}
