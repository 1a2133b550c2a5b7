//! The framed mode, RESP.

#[path = "../wire"]
mod wire {
    mod push;
    mod resp;
}
