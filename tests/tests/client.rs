//! Tests of the client.

#[path = "../client"]
mod client {
    mod calls;
    mod deadlines;
    mod options;
    mod repeats;
    mod sigpipe;
}
