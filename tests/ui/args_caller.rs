//! A variant of alternatives for which nothing can be filled in.

use std::collections::HashMap;
use std::ffi::OsString;

use dockipc::Args;

#[derive(Args)]
enum Variables {
    Given(#[arg(caller = "env")] HashMap<OsString, OsString>),
    Nothing,
}

fn main() {}
