//! An answer read as a type that is none.

use dockipc::Client;

struct Point;

fn main() -> dockipc::Result<()> {
    let _: Point = Client::new("/run/x.sock").command("origin").call()?;
    Ok(())
}
