//! Commands that run: their identity, how they are asked to stop, and answers that come later.

#[path = "../running"]
mod running {
    mod async_commands;
    mod cancel;
    mod deferred;
    mod kept;
    mod newest;
    mod stop;
    mod storm;
}
