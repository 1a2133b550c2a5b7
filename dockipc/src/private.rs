//! The items that generated code uses. Not a public API: they change without notice.

pub use std::borrow::Cow;
pub use std::string::{String, ToString};

pub use inventory::submit;

use crate::{builtin, server};

pub use crate::client::typed;
pub use crate::client::{Arguments, Commands, ToArg, ToArgs, Way as SentWay};

pub use crate::access::{Allow, Name, Term, allow};
pub use crate::answer::{Answer, Answered};
pub use crate::arg::{Arg, BadValue, no_choice};
pub use crate::commands::{Channel, Channels, Code, Command, CommandParts, Running, expand};
pub use crate::error::{Coded, CodedType, Error, Failure, check_code};
pub use crate::events::EventChannel;
pub use crate::param::{
    Args, CommandSet, DefaultValue, Display, Flag, FromRequest, Grouped, Kind, NotDisplay,
    OwnedArgs, Param, Parse, Propose, Variant, Way, base, check, check_alternative, check_async,
    check_field, check_unnamed, commands, count, fields, flag, flat, newest, one_of, param,
    variant,
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
