//! Configurations with which a server refuses to start.

#[path = "../start"]
mod start {
    mod bound;
    mod plugin;
    mod refused;
}
