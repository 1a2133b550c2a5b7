//! RESP, the framed mode.

#[path = "../wire"]
mod wire {
    mod handshakes;
    mod push;
    mod resp;
    mod transaction;
}
