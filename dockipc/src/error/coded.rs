//! The codes of error types that derive `Failure`, which the conversion to a [`Failure`] finds by the type.
//!
//! Each derive registers its type with `inventory`. Rust permits one blanket `From` for [`Failure`], so the
//! codes cannot be in a second one.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;

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

/// A registered error type.
pub struct CodedType {
    /// Returns the error's code if it is of this type.
    code: fn(&dyn Any) -> Option<&'static str>,
}

inventory::collect!(CodedType);

impl CodedType {
    /// Creates the entry of a type.
    pub const fn of<T: Coded + 'static>() -> Self {
        Self { code: |error| error.downcast_ref::<T>().map(T::code) }
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
    let mut types = inventory::iter::<CodedType>();
    let found = types.find_map(|coded| (coded.code)(error));
    Failure::new(found.unwrap_or(code::ERR), shown)
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
