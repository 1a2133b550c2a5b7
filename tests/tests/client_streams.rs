//! Tests of the client with commands that stream.

#[path = "../client"]
mod client {
    mod bodies;
    mod streams;
}
