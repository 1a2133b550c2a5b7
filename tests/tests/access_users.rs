//! Processes of other users, which only root can start.

#[path = "../access"]
mod access {
    mod early;
    #[cfg(feature = "tokio")]
    mod environment;
    mod nobody;
    mod running;
}

#[path = "../limits"]
mod limits {
    mod greedy;
}
