//! Line mode, and the form of every answer in each protocol.

#[path = "../wire"]
mod wire {
    mod answers;
    mod line;
    mod same;
}
