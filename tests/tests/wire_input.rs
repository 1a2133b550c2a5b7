//! Arguments, bad input, and the clients of other projects.

#[path = "../wire"]
mod wire {
    mod args;
    mod bad_input;
    mod clients;
    mod clients_page;
    mod hints;
    mod peers;
}
