struct Weight(u64);

#[dockipc::client]
trait Hits {
    fn add(&self, weight: Weight) -> dockipc::Result<u64>;
}

fn main() {}
