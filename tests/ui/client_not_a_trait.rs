#[dockipc::client]
struct Hits;

fn main() {}
