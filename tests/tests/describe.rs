//! What the daemon tells programs of its commands. A test lists all of them, so no other file is here.

#[path = "../wire"]
mod wire {
    mod describe;
}
