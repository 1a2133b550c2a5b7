//! A queue of command lines, with the requests of pueue: its tasks run as processes, so many at a time in each group.
//!
//! `cargo run -p queue-daemon`, and then `cargo run -p queue-client --features cli --bin queue -- add -- make all`

mod commands;
mod queue;

use dockipc::Server;
use queue::Queue;

fn main() -> dockipc::Result<()> {
    Server::new()
        .version(env!("CARGO_PKG_VERSION"))
        .state(Queue::default())
        .run(queue_ipc::socket())
}
