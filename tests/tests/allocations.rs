//! Allocations of the server, counted by this program's own allocator.

#[path = "../limits"]
mod limits {
    mod allocations;
}
