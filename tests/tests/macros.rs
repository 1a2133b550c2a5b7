//! The code that the macros generate, and the mistakes that they report.

/// Public, since lints such as `missing_docs` look only at public items.
#[path = "../macros"]
pub mod macros {
    mod answer_types;
    mod collisions;
    mod conditional;
    mod failure;
    pub mod forbidden;
    mod macro_rules;
    mod reply;
    mod reply_enums;
    mod reply_generics;
    pub mod silent;
    mod tables;
    mod ui;
}
