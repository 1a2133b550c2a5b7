//! A word parsed as a type that does not implement `Arg`.

use dockipc::{Failure, Request, Server};

struct Point;

fn place(request: &Request<'_>) -> Result<(), Failure> {
    let _: Point = request.parse(0)?;
    Ok(())
}

fn main() {
    let _ = Server::new().handle("place", place);
}
