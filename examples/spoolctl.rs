//! A program for the daemon `spool` alone.
//!
//! `cargo run --features cli --example spoolctl -- add date`

use std::process::ExitCode;

fn main() -> ExitCode {
    dockipc::ctl::main(examples::place("spool"))
}
