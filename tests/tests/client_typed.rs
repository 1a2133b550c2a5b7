//! Typed clients: traits with `#[client]`. A trait is compared with all commands of a program.

#[path = "../client"]
mod client {
    mod typed;
    mod typed_items;
}
