#[dockipc::client]
trait Hits {
    fn add(&self, n: u64);

    fn total(&self) -> u64;
}

fn main() {}
