//! The program `dockipc`.

#[path = "../program"]
mod program {
    mod ctl;
    mod ctl_completions;
    mod ctl_strangers;
}
