//! Tests of the socket's path, from start to stop. `start_open` needs a program in which no command has a
//! rule.

#[path = "../path"]
mod path {
    mod activation;
    mod claim;
    mod foreign_directory;
    mod lost_path;
    mod start_open;
    mod starts;
    mod systemd;
}
