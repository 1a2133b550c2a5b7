//! Events: channels that a program publishes to and clients subscribe to.

#[path = "../events"]
mod events {
    mod access;
    mod client;
    mod declared;
    mod lines;
    mod peers;
    mod slow;
    mod state;
    mod stop;
    mod wire;
}
