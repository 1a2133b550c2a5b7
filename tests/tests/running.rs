//! Commands that run: their identity, how they are asked to stop, and answers that come later.

#[path = "../running"]
mod running {
    #[cfg(feature = "tokio")]
    mod asleep;
    mod async_commands;
    mod cancel;
    mod deferred;
    mod hooks;
    mod kept;
    mod lease;
    mod newest;
    #[cfg(feature = "tokio")]
    mod on_tokio;
    mod progress;
    mod stop;
    mod storm;
}
