//! RESP, the framed mode.

#[path = "../wire"]
mod wire {
    mod push;
    mod redis_clients;
    mod resp;
}
