//! What a server refuses to start with.

#[path = "../start"]
mod start {
    mod plugin;
    mod refused;
}
