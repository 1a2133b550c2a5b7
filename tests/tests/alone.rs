//! Tests that count threads, descriptors or memory of their own process. [`tests::process::alone`] runs
//! them one at a time.

use dockipc::{Request, command};
use tests::gate::Gate;

/// Wait until the test opens the gate, and return the word.
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
    mod staying;
    mod stop;
}

#[path = "../path"]
mod path {
    mod bound;
    mod hand_over;
    mod old_clients;
    mod recovery;
}
