use std::io::Read;

#[dockipc::client]
trait Hits {
    fn import(&self, #[arg(body)] a: impl Read + Send, #[arg(body)] b: &[u8]) -> dockipc::Result<u64>;

    fn load(&self, #[arg(body, absolute)] text: &[u8]) -> dockipc::Result<u64>;
}

#[dockipc::client]
trait AsyncHits {
    async fn import(&self, #[arg(body)] body: &[u8]) -> dockipc::Result<u64>;
}

fn main() {}
