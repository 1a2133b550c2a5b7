//! The program `dockipc` as other programs use it, and its page. A test counts the commands, so only
//! `ctl_tools` has some.

#[path = "../program"]
mod program {
    mod cli_page;
    mod ctl_tools;
}
