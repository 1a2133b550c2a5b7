//! The items that only the code of a server uses.

pub use inventory::submit;

use crate::{builtin, server};

pub use crate::access::{Allow, allow};
pub use crate::answer::{Answer, Answered};
pub use crate::commands::{
    Channel, Channels, Code, Command, CommandParts, GroupCode, Running, expand, groups,
};
pub use crate::error::CodedType;
use crate::error::Failure;
pub use crate::events::EventChannel;
#[cfg(feature = "pattern")]
pub use crate::param::Pattern;
pub use crate::param::{
    Args, CommandSet, DefaultValue, Display, Extra, Flag, FromRequest, Grouped, Kind, Marks,
    NotDisplay, OwnedArgs, Param, Parse, Propose, Variant, Way, base, check, check_alternative,
    check_async, check_field, check_name, check_unnamed, commands, count, fields, flag, flat,
    newest, one_of, param, place,
};

/// Makes the registration of an enum's channels.
pub const fn channels(list: &'static [Channel], file: &'static str, line: u32) -> Channels {
    let (prepare, describe) = (server::declare, builtin::describe_channels);
    Channels { list, file, line, prepare, describe }
}

/// Boxes the future of an async command.
pub fn future(future: impl Future<Output = Result<Answered, Failure>> + Send + 'static) -> Running {
    Box::pin(future)
}
