//! Commands that run on a thread of the author's.

#[path = "../running"]
mod running {
    mod local;
    mod local_once;
    mod local_stop;

    pub(crate) use local::{Ui, with_loop};
}

#[path = "../start"]
mod start {
    mod local;
}
