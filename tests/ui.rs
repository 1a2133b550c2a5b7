//! Mistakes, one file each: where the compiler points and what it says.
//!
//! What is around our own sentences is the compiler's: the snapshots are of Rust 1.95. They are
//! written anew with `TRYBUILD=overwrite cargo test -p tests --test ui`, and then read.

/// The compiler's own words change from version to version.
const VERSION: &str = "rustc 1.95.";

#[test]
fn every_mistake_is_explained_at_its_own_token() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = std::process::Command::new(rustc).arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    if !version.starts_with(VERSION) {
        println!("skipped: the snapshots are of {VERSION}, this is {version}");
        return;
    }
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}
