//! The program `dockipc`: see [`dockipc::ctl`].

use std::process::ExitCode;

fn main() -> ExitCode {
    dockipc::ctl::program()
}
