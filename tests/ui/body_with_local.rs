use dockipc::{Body, Local, command};

#[command]
fn upload(ui: Local<'_, u64>, body: Body) {
    drop((*ui, body));
}

#[command]
fn upload_first(body: Body, ui: Local<'_, u64>) {
    drop((*ui, body));
}

fn main() {}
