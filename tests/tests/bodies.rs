//! Bodies: bytes that a client sends after a command.

#[path = "../bodies"]
mod bodies {
    #[cfg(feature = "tokio")]
    mod async_bodies;
    mod frames;
    mod items;
    mod limits;
    mod lines;
    mod states;
    mod stopped;
    mod words;
}
