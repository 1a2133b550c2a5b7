//! The program `dockipc` and our client: rows, streams and bodies.

#[path = "../program"]
mod program {
    mod ctl_rows;
    mod ctl_streams;
}

#[path = "../client"]
mod client {
    #[cfg(feature = "tokio")]
    mod async_uploads;
    mod uploads;
}
