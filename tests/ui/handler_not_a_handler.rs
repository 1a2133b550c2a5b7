//! Values that are not handlers.

use dockipc::Server;

struct Greeter;

fn main() {
    let _ = Server::new().mount("greet", Greeter);
    let _ = Server::with_handler(|_| std::time::Instant::now());
}
