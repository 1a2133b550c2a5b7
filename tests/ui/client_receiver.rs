#[dockipc::client]
trait Hits {
    fn add(&mut self, n: u64) -> dockipc::Result<u64>;

    fn total() -> dockipc::Result<u64>;
}

fn main() {}
