use std::io::Read;

#[dockipc::client]
trait Hits {
    fn import(&self, #[arg(body)] a: impl Read + Send, #[arg(body)] b: &[u8]) -> dockipc::Result<u64>;

    fn load(&self, #[arg(body, absolute)] text: &[u8]) -> dockipc::Result<u64>;
}

#[dockipc::client]
trait AsyncHits {
    async fn both(&self, #[arg(body)] a: &[u8], #[arg(items)] b: Vec<u8>) -> dockipc::Result<()>;
}

fn main() {}
