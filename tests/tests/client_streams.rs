//! Tests of the client with commands that stream.

#[path = "../client"]
mod client {
    #[cfg(feature = "tokio")]
    mod async_streams;
    mod bodies;
    mod streams;
}
