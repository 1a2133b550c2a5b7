//! The program `dockipc`: its shell, and the way through ssh.

#[path = "../program"]
mod program {
    mod ctl_shell;
    mod ctl_ssh;
}
