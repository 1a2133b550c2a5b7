#[dockipc::client]
trait Hits {
    fn add(&self, n: u64) -> dockipc::Result<u64>;

    async fn total(&self) -> dockipc::Result<u64>;
}

fn main() {}
