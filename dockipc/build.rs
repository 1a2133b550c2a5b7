//! Refuses systems other than Linux with one sentence, before the library fails to compile there.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let system = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if system != "linux" {
        println!("cargo::error=dockipc needs Linux: {system} is not supported");
    }
}
