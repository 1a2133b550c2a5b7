//! The cost of built-in commands. Sizes are compared with the description of all commands, so this program
//! has no other file.

#[path = "../limits"]
mod limits {
    mod questions;
}
