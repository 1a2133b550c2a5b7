//! The program `dockipc` and our client: streams and bodies.

#[path = "../program"]
mod program {
    mod ctl_streams;
}

#[path = "../client"]
mod client {
    mod uploads;
}
