//! The queue's command-line program.
//!
//! `cargo run -p queue-client --features cli --bin queue -- add -- make all`

use std::collections::BTreeMap;
use std::process::ExitCode;

fn main() -> ExitCode {
    dockipc::ctl::Program::new(queue_ipc::socket())
        .about("Manage a queue of command lines.")
        .format("log", |outputs: BTreeMap<u64, String>| {
            let outputs = outputs.iter().map(|(id, output)| format!("--- Task {id} ---\n{output}"));
            outputs.collect::<Vec<_>>().join("\n")
        })
        .main()
}
