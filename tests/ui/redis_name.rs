//! Names whose answers Redis clients convert.

#![deny(deprecated)]

use dockipc::command;

#[command("time")]
fn now() -> u64 {
    7
}

#[command]
fn save() {}

#[command("store", alias = "set", alias = "put")]
fn store() {}

#[allow(deprecated)]
#[command("hgetall")]
fn all() {}

#[command]
#[allow(deprecated)]
fn ping() {}

#[cfg(any())]
#[command]
fn info() {}

fn main() {}
