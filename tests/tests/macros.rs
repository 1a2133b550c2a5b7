//! What the macros generate, and what they refuse.

/// Public, since lints such as `missing_docs` look only at public items.
#[path = "../macros"]
pub mod macros {
    pub mod silent;
    mod ui;
}
