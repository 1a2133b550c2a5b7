use dockipc::{Body, command};

#[command]
async fn upload(body: Body) {
    drop(body);
}

fn main() {}
