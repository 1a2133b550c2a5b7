//! The program `dockipc`: commands that run, and Ctrl-C.

#[path = "../program"]
mod program {
    mod ctl_interrupt;
    mod ctl_running;
}
