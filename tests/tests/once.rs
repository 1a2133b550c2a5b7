//! Calls that run exactly once.

#[path = "../once"]
mod once {
    mod calls;
    mod file;
    mod limits;
    mod proxy;
    mod restart;
}
