//! Streams with Redis clients of other projects.

#[path = "../streams"]
mod streams {
    mod clients;
}
