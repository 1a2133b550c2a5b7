//! The program `dockipc`: its tools, and its page. A test counts the commands, so that only
//! `ctl_tools` declares some.

#[path = "../program"]
mod program {
    mod cli_page;
    mod ctl_tools;
}
