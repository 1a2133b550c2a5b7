//! The repository: facts that stand in two places, and the examples.

#[path = "../repository"]
mod repository {
    mod examples;
    mod layers;
    mod names;
    mod tidy;
}
