//! Configurations with which a server refuses to start.

#[path = "../start"]
mod start {
    mod plugin;
    mod refused;
}
