//! The program `dockipc`: its shell, and `ssh://` addresses.

#[path = "../program"]
mod program {
    mod ctl_shell;
    mod ctl_ssh;
}
