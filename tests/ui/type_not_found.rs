use dockipc::command;

#[command]
fn find(near: Option<Point>) -> Vec<Point> {
    near.into_iter().collect()
}

fn main() {}
