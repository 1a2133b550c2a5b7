//! Faults of the system around a daemon, which is a process of its own.

#[path = "../faults"]
mod faults {
    mod crash;
    mod leaving;
    mod system_calls;
}
