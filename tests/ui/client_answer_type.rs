struct Weight(u64);

#[dockipc::client]
trait Hits {
    fn total(&self) -> dockipc::Result<Weight>;
}

fn main() {}
