//! The daemon `spool` has a program of its own: all of it is here.
//!
//! `cargo run --features cli --example spoolctl -- add date`

use std::process::ExitCode;

fn main() -> ExitCode {
    dockipc::ctl::main(examples::place("spool"))
}
