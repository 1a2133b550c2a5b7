//! RESP, the framed mode.

#[path = "../wire"]
mod wire {
    mod big;
    mod handshakes;
    mod plain;
    mod push;
    mod redis_clients;
    mod resp;
    mod transaction;
}
