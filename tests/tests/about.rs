//! What a daemon says about itself and its commands, and what a call would do.

#[path = "../wire"]
mod wire {
    mod check;
    mod marks;
    mod version;
}
