//! Access rules, tokens and the audit.

#[path = "../access"]
mod access {
    mod audit;
    mod audit_log;
    mod rules;
    mod sockets;
    mod token;
    mod token_clients;
}
