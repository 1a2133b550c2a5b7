//! An answer read as a type that does not implement `FromReply`.

use dockipc::Client;

struct Point;

fn main() -> dockipc::Result<()> {
    let _: Point = Client::new("/run/x.sock").command("origin").call()?;
    Ok(())
}
