//! The items that generated code uses. Not a public API: they change without notice.

pub use std::string::String;

pub use inventory::submit;

use crate::{builtin, server};

pub use crate::access::{Allow, Name, Term, allow};
pub use crate::answer::{Answer, Answered};
pub use crate::arg::{Arg, BadValue, is_one_of, no_choice};
pub use crate::commands::{Channel, Channels, Code, Command, CommandParts, Running};
pub use crate::error::{Coded, CodedType, Error, Failure, check_code};
pub use crate::events::EventChannel;
#[cfg(feature = "pattern")]
pub use crate::param::Pattern;
pub use crate::param::{
    Args, DefaultValue, Display, Extra, Flag, FromRequest, NotDisplay, OwnedArgs, Param, Parse,
    Propose, Way, check, check_async, check_name, flag, newest, param,
};
pub use crate::reply::{Fields, FromReply, IntoReply, Map, MapParts, Reply, ReplyType, no_variant};

/// Makes the registration of an enum's channels.
pub const fn channels(list: &'static [Channel], file: &'static str, line: u32) -> Channels {
    let (prepare, describe) = (server::declare, builtin::describe_channels);
    Channels { list, file, line, prepare, describe }
}

/// Boxes the future of an async command.
pub fn future(future: impl Future<Output = Result<Answered, Failure>> + Send + 'static) -> Running {
    Box::pin(future)
}
