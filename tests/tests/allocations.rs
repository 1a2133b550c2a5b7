//! How often the server allocates: a program with an allocator of its own.

#[path = "../limits"]
mod limits {
    mod allocations;
}
