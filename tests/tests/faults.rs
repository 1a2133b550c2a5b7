//! Fault injection into a daemon in a separate process.

#[path = "../faults"]
mod faults {
    mod crash;
    mod forks;
    mod inherited;
    mod leaving;
    mod privileges;
    mod signals;
    mod system_calls;
}
