//! Tests of the client.

#[path = "../client"]
mod client {
    mod calls;
    mod cancelling;
    mod deadlines;
    mod killed;
    mod options;
    mod repeats;
    mod sigpipe;
}
