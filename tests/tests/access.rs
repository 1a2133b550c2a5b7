//! Who may run what, and what is recorded of it.

#[path = "../access"]
mod access {
    mod audit;
    mod doors;
    mod rules;
    mod token;
}
