//! Completions that a running daemon computes for a parameter.

use crate::request::Request;

/// A function that can be given as `#[arg(complete = …)]`. `M` tells the two signatures apart.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "this can't complete a parameter",
    label = "not a completion function",
    note = "write `fn names(prefix: &str) -> Vec<String>`, or `fn names(request: &Request<'_>, prefix: &str) -> Vec<String>` to access states"
)]
pub trait Propose<M> {
    fn propose(self, request: &Request<'_>, prefix: &str) -> Vec<String>;
}

impl<F, I> Propose<(I,)> for F
where
    F: Fn(&str) -> I,
    I: IntoIterator<Item: Into<String>>,
{
    fn propose(self, _: &Request<'_>, prefix: &str) -> Vec<String> {
        matching(self(prefix), prefix)
    }
}

impl<F, I> Propose<(Request<'static>, I)> for F
where
    F: Fn(&Request<'_>, &str) -> I,
    I: IntoIterator<Item: Into<String>>,
{
    fn propose(self, request: &Request<'_>, prefix: &str) -> Vec<String> {
        matching(self(request, prefix), prefix)
    }
}

/// The most completions in an answer.
const MOST: usize = 1000;

fn matching(values: impl IntoIterator<Item: Into<String>>, prefix: &str) -> Vec<String> {
    let values = values.into_iter().map(Into::into);
    values.filter(|value: &String| value.starts_with(prefix)).take(MOST).collect()
}
