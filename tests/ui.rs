//! Mistakes, one file each: where the compiler points and what it says.
//!
//! What is around our own sentences is the compiler's: the snapshots are of Rust 1.95. They are
//! written anew with `TRYBUILD=overwrite cargo test -p tests --test ui`, and then read.

#[test]
fn every_mistake_is_explained_at_its_own_token() {
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}
