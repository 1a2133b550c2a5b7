#[dockipc::client]
trait Hits {
    #[command("Add")]
    fn add(&self) -> dockipc::Result<u64>;

    #[command("group add member")]
    fn add_member(&self) -> dockipc::Result<()>;

    #[command("total")]
    fn sum(&self) -> dockipc::Result<u64>;

    fn total(&self) -> dockipc::Result<u64>;
}

fn main() {}
