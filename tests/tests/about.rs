//! A daemon's answers about itself and its commands, and dry runs.

#[path = "../wire"]
mod wire {
    mod check;
    mod marks;
    mod version;
}
