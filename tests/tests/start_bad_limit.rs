//! A command with a bad default: no server of this program starts.

#[path = "../start"]
mod start {
    mod bad_limit;
}
