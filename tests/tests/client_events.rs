//! Tests of the client with daemons that publish events.

#[path = "../client"]
mod client {
    mod events;
}
