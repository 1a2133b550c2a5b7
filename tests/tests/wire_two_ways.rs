//! Pipelines of commands, of which one is a stream: a program with a stream accepts SUBSCRIBE.

#[path = "../wire"]
mod wire {
    mod two_ways;
}
