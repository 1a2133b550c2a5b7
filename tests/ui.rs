//! Mistakes, one file each: where the compiler points and what it says.

#[test]
fn every_mistake_is_explained_at_its_own_token() {
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}
