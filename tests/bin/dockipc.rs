//! The program `dockipc` or, with `TEST_SOCKET`, a daemon's own program.

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::var_os("TEST_SOCKET") {
        Some(socket) => dockipc::ctl::main(socket),
        None => dockipc::ctl::program(),
    }
}
