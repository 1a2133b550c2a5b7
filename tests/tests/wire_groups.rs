//! Names of two words. A test lists all commands of its program, so this program has no other file about
//! something else.

#[path = "../wire"]
mod wire {
    mod groups;
}
