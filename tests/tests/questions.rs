//! Built-in commands and what their answers cost. The sizes are compared with the description of all
//! commands, so that the program has its own.

#[path = "../limits"]
mod limits {
    mod questions;
}
