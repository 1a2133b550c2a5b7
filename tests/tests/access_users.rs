//! Processes of other users, which only root can start.

#[path = "../access"]
mod access {
    mod early;
    mod nobody;
}

#[path = "../limits"]
mod limits {
    mod greedy;
}
