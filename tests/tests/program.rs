//! The program `dockipc`.

#[path = "../program"]
mod program {
    mod ctl;
    mod ctl_completions;
    mod ctl_doctor;
    mod ctl_foreign;
    mod ctl_messages;
    mod ctl_output;
    mod ctl_reach;
    mod ctl_strangers;
    mod ctl_usage;
    mod ctl_watch;
}
