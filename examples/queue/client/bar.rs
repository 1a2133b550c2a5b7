//! One line about the queue, for the bar of a desktop.
//!
//! `cargo run -p queue-client --bin queue-bar`

use dockipc::Client;
use queue_ipc::{Outcome, Queue as _, QueueClient, Status, Task};

fn main() -> dockipc::Result<()> {
    let queue = QueueClient::new(Client::new(queue_ipc::socket()));
    // Of another version, whose answers may be of other types.
    for difference in queue.check()? {
        eprintln!("{difference}");
    }
    let tasks = queue.status(None)?;
    let count = |is: fn(&Task) -> bool| tasks.iter().filter(|task| is(task)).count();
    let failed = |task: &Task| match &task.status {
        Status::Done { result, .. } => *result != Outcome::Success,
        _ => false,
    };
    println!(
        "{} running, {} queued, {} failed",
        count(|task| matches!(task.status, Status::Running { .. })),
        count(|task| task.status == Status::Queued),
        count(failed),
    );
    Ok(())
}
