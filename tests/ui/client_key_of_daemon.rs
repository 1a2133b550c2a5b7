#[dockipc::client]
trait Hits {
    #[command("add", allow = "uid:root")]
    fn add(&self, #[arg(default = 1)] n: u64) -> dockipc::Result<u64>;

    #[command("log", hidden)]
    fn log(&self, #[arg(long, secret)] word: &str) -> dockipc::Result<String>;
}

fn main() {}
