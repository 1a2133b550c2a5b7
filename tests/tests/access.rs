//! Who may run what, and what is recorded of it.

#[path = "../access"]
mod access {
    mod audit;
    mod audit_log;
    mod rules;
    mod sockets;
    mod token;
    mod token_clients;
}
