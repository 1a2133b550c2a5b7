use std::collections::BTreeMap;
use std::path::Path;

#[dockipc::client]
trait Hits {
    fn run(
        &self,
        #[arg(long, caller = "cwd")] directory: &Path,
        #[arg(long, caller = "pwd")] other: Option<&Path>,
        #[arg(long, absolute, caller = "cwd")] third: Option<&Path>,
        #[arg(long, caller = "env")] env: &BTreeMap<String, String>,
    ) -> dockipc::Result<u64>;
}

fn main() {}
