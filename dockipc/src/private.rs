//! Everything that generated code names. Not for use by hand: it changes without notice.

pub use inventory::submit;

pub use crate::arg::{
    Arg, Args, BadValue, Fallback, FromRequest, Param, Way, check, flag, from_str, from_str_param,
    no_choice, param,
};
pub use crate::error::Failure;
pub use crate::registry::Command;
pub use crate::reply::Reply;

/// The answer of a function, whatever it returns.
pub fn answer<T: crate::reply::IntoReply>(value: T) -> Reply {
    value.into_reply()
}
