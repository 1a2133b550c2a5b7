//! Values that a running daemon proposes for a parameter.

use crate::request::Request;

/// What can stand at `#[arg(complete = …)]`. `M` tells the two forms apart.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "this can't propose values for a parameter",
    label = "not such a function",
    note = "write `fn names(prefix: &str) -> Vec<String>`, or `fn names(request: &Request<'_>, prefix: &str) -> Vec<String>` to have states"
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

/// So many values are proposed.
const MOST: usize = 1000;

fn matching(values: impl IntoIterator<Item: Into<String>>, prefix: &str) -> Vec<String> {
    let values = values.into_iter().map(Into::into);
    values.filter(|value: &String| value.starts_with(prefix)).take(MOST).collect()
}
