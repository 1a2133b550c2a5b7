//! Parameters of a client's method that no command can have.

use std::path::Path;

#[dockipc::client]
trait Hits {
    fn two_lasts(&self, #[arg(last)] a: &[&str], #[arg(last)] b: &[&str]) -> dockipc::Result<()>;

    fn two_rests(&self, #[arg(rest)] a: &str, #[arg(rest)] b: &str) -> dockipc::Result<()>;

    fn rest_and_last(&self, #[arg(rest)] a: &str, #[arg(last)] b: &[&str]) -> dockipc::Result<()>;

    fn same_name(&self, id: u8, #[arg(name = "id")] other: u8) -> dockipc::Result<()>;

    fn bad_name(&self, #[arg(name = "a b")] id: u8, __: u8) -> dockipc::Result<()>;

    fn no_options(
        &self,
        #[arg(flag, absolute)] a: bool,
        #[arg(flag, caller = "cwd")] b: Option<&Path>,
        #[arg(rest, caller = "cwd")] c: Option<&Path>,
    ) -> dockipc::Result<()>;
}

fn main() {}
