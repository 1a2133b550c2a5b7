//! RESP, the framed mode.

#[path = "../wire"]
mod wire {
    mod push;
    mod resp;
    mod transaction;
}
