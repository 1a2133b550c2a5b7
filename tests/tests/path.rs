//! The socket's path, from the start to the stop. `start_open` needs a program without a command that has
//! a rule.

#[path = "../path"]
mod path {
    mod activation;
    mod claim;
    mod foreign_directory;
    mod lost_path;
    mod start_open;
    mod starts;
}
