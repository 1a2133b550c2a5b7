//! The program `dockipc` or, with `TEST_SOCKET`, the own program of a daemon.

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::var_os("TEST_SOCKET") {
        Some(socket) => dockipc::ctl::main(socket),
        None => dockipc::ctl::program(),
    }
}
