//! The line mode, and the form of every answer in each mode.

#[path = "../wire"]
mod wire {
    mod answers;
    mod line;
}
