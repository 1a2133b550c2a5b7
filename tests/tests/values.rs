//! The keys of `#[arg(…)]` that decide which values a parameter accepts, and how they are given.

#[path = "../wire"]
mod wire {
    mod caller;
    mod maps;
    mod options;
    mod ranges;
    mod variants;
}

#[cfg(feature = "cli")]
#[path = "../program"]
mod program {
    mod ctl_values;
}
