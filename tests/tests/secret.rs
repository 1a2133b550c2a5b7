//! Secret arguments. Some tests search the memory of their own process, so no other test may be in it.

#[path = "../access"]
mod access {
    mod secret;
}
