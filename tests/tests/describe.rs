//! Command descriptions. A test lists all commands of its program, so this program has no other file.

#[path = "../wire"]
mod wire {
    mod describe;
}
