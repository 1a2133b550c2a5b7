//! `#[command]` and `#[arg]` in a `#[cfg_attr]` of a client's trait.

#[dockipc::client]
trait Hits {
    #[cfg_attr(all(), command("hits add"))]
    fn add(&self, n: u64) -> dockipc::Result<u64>;

    #[cfg_attr(any(), allow(unused), cfg_attr(all(), dockipc::command(idempotent)))]
    fn sum(&self) -> dockipc::Result<u64>;

    fn list(&self, #[cfg_attr(all(), arg(flag))] all: bool) -> dockipc::Result<u64>;

    #[cfg_attr(all(), doc = "command", allow(unused))]
    fn fits(&self, #[cfg_attr(all(), allow(unused_variables))] n: u64) -> dockipc::Result<u64>;
}

fn main() {}
