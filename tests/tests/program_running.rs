//! The program `dockipc`: commands that run, calls with a token, and Ctrl-C.

#[path = "../program"]
mod program {
    mod ctl_interrupt;
    mod ctl_once;
    mod ctl_running;
}
