//! Everything that generated code names. Not for use by hand: it changes without notice.

pub use inventory::submit;

pub use crate::access::{Name, Term};
pub use crate::arg::{
    Arg, Args, BadValue, Fallback, Flag, FromRequest, Param, Parse, Propose, Way, check, flag,
    no_choice, param,
};
pub use crate::error::Failure;
pub use crate::registry::Command;
pub use crate::reply::{IntoReply, Reply};
