//! The program `dockipc`, and daemons' own programs: groups, and what the program does before it sends a
//! command.

#[path = "../program"]
mod program {
    mod ctl_asked;
    mod ctl_groups;
}
