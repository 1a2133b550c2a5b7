//! What other users can do. Only root can start their processes.

#[path = "../access"]
mod access {
    mod early;
    mod nobody;
}

#[path = "../limits"]
mod limits {
    mod greedy;
}
