//! The codes of error types that derive `Failure`, which the conversion to a [`Failure`] finds by the type.
//!
//! Rust permits one blanket `From` for [`Failure`], so the codes cannot be in a second one: each derive registers its
//! type ([`super::registered`]).

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;

use super::registered::code_of;
use super::{Failure, Stopped, code, is_acted_on};

/// An error type with codes. Implemented by `#[derive(Failure)]`, which refuses types with lifetimes: the
/// conversion would take a value that borrows for one that does not.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no error codes",
    note = "add `#[derive(dockipc::Failure)]` to the type, or give the variant a code of its own"
)]
pub trait Coded {
    /// Returns the code of this value.
    fn code(&self) -> &'static str;
}

impl<T: Coded + ?Sized> Coded for Box<T> {
    fn code(&self) -> &'static str {
        (**self).code()
    }
}

/// Converts an error, which the caller gives in both forms.
#[cold]
#[inline(never)]
pub(super) fn failure(shown: &dyn fmt::Display, error: &dyn Any) -> Failure {
    let boxed = match error.downcast_ref::<Box<dyn Error + Send + Sync>>() {
        Some(error) => error.downcast_ref(),
        None => error.downcast_ref::<Box<dyn Error>>().and_then(|error| error.downcast_ref()),
    };
    if let Some(Boxed(failure)) = boxed {
        return failure.clone();
    }
    // In an `io::Error` as well, since code that reads and writes has to return one.
    let inner = error.downcast_ref::<io::Error>().and_then(|error| error.get_ref());
    if let Some(stopped) = inner.and_then(|inner| inner.downcast_ref::<Stopped>()) {
        return stopped.failure();
    }
    Failure::new(code_of(error).unwrap_or(code::ERR), shown)
}

/// A failure in a `Box<dyn Error>`. In front of the message its text has the code, unless that is `ERR`.
#[derive(Debug)]
pub(super) struct Boxed(pub(super) Failure);

impl fmt::Display for Boxed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(failure) = self;
        if failure.code() != code::ERR {
            write!(f, "{} ", failure.code())?;
        }
        f.write_str(failure.message())
    }
}

impl Error for Boxed {}

/// Rejects at compile time a code on which Redis clients act.
// `track_caller` makes the error point at the author's literal.
#[track_caller]
pub const fn check_code(code: &str) {
    assert!(
        !is_acted_on(code.as_bytes()),
        "Redis clients act on this code by themselves: choose another, such as one with `APP_` in front"
    );
}
