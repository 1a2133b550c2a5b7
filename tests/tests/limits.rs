//! Limits of one server.

#[path = "../limits"]
mod limits {
    mod descriptors;
    mod exceeded;
    mod per_user;
}
