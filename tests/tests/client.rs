//! Tests of the client.

#[path = "../client"]
mod client {
    mod calls;
    mod deadlines;
    mod repeats;
    mod sigpipe;
}
