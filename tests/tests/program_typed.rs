//! Typed clients that the program prints. They have all commands of a daemon, so this program has no other tests.

#[path = "../program"]
mod program {
    mod typed;
    mod typed_odd;
}
