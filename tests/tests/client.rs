//! Tests of the client.

#[path = "../client"]
mod client {
    #[cfg(feature = "tokio")]
    mod async_client;
    mod calls;
    mod cancelling;
    mod deadlines;
    mod killed;
    mod options;
    mod repeats;
    mod sigpipe;
    mod without_server;
}
