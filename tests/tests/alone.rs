//! Tests that count what their own process has: threads, descriptors, memory. They run one at a time, by
//! [`tests::process::alone`].

use dockipc::{Request, command};
use tests::gate::Gate;

/// Waits until the test lets it end, and answers with its word.
#[command("wait")]
fn wait(request: &Request<'_>, word: &str) -> String {
    request.state::<Gate>().unwrap().pass();
    word.to_owned()
}

#[path = "../faults"]
mod faults {
    mod cut;
    mod garbage;
    mod interrupts;
    mod panics;
    mod soak;
    mod stress;
}

#[path = "../limits"]
mod limits {
    mod engine;
    mod load;
    mod memory;
    mod stop;
}

#[path = "../path"]
mod path {
    mod hand_over;
    mod recovery;
}
