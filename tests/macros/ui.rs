//! Compile errors: each file in `ui` has one kind of mistake, and a snapshot of the message and of
//! the token that it points at.
//!
//! The compiler writes the text around the messages, so the snapshots belong to Rust 1.95. After a
//! change run `TRYBUILD=overwrite cargo test -p tests macros::ui` and read the new snapshots.

/// The version of the compiler that wrote the snapshots.
const VERSION: &str = "rustc 1.95.";

#[test]
fn every_mistake_is_explained_at_its_own_token() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = std::process::Command::new(rustc).arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    if !version.starts_with(VERSION) {
        println!("skipped: the snapshots need {VERSION}, found {version}");
        return;
    }
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}
