use dockipc::{Body, command};

#[command]
fn upload(#[arg(long)] body: Body) {
    drop(body);
}

#[command]
fn maybe(body: Option<Body>) {
    drop(body);
}

fn main() {}
