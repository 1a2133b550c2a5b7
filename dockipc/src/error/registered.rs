//! The registered types of errors. Each `#[derive(Failure)]` registers its type with `inventory`.

use std::any::Any;

use super::{Coded, Stopped};

/// A registered error type.
pub struct CodedType {
    /// Returns the error's code if it is of this type.
    code: fn(&dyn Any) -> Option<&'static str>,
}

inventory::collect!(CodedType);

inventory::submit! { CodedType::of::<Stopped>() }

impl CodedType {
    /// Creates the entry of a type.
    pub const fn of<T: Coded + 'static>() -> Self {
        Self { code: |error| error.downcast_ref::<T>().map(T::code) }
    }
}

/// Returns the code of an error whose type is registered.
pub(super) fn code_of(error: &dyn Any) -> Option<&'static str> {
    inventory::iter::<CodedType>().find_map(|coded| (coded.code)(error))
}
