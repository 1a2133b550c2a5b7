#[dockipc::client]
trait Hits {
    fn add(&self, n: u64) -> dockipc::Result<u64>;

    #[command("add")]
    fn add_one(&self) -> dockipc::Result<u64> {
        self.add(1)
    }

    #[cfg_attr(all(), command("add"))]
    fn add_two(&self) -> dockipc::Result<u64> {
        self.add(2)
    }
}

fn main() {}
