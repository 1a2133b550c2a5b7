//! The items that generated code uses. Not a public API: they change without notice.

pub use std::string::String;

#[cfg(feature = "server")]
pub use inventory::submit;

#[cfg(feature = "server")]
use crate::{builtin, server as serving};

pub use crate::__dockipc_server as server;
#[cfg(feature = "server")]
pub use crate::access::{Allow, allow};
#[cfg(feature = "server")]
pub use crate::answer::{Answer, Answered};
pub use crate::arg::{Arg, BadValue, FromText, no_choice};
#[cfg(feature = "server")]
pub use crate::commands::{Channel, Channels, Code, Command, CommandParts, Running};
#[cfg(feature = "server")]
pub use crate::error::CodedType;
pub use crate::error::{Coded, Error, Failure, check_code};
#[cfg(feature = "server")]
pub use crate::events::EventChannel;
#[cfg(feature = "server")]
pub use crate::param::{
    Args, DefaultValue, Display, Flag, FromRequest, NotDisplay, OwnedArgs, Param, Parse, Propose,
    Way, check, check_async, flag, newest, param,
};
pub use crate::reply::{
    Columns, Derived, Fields, FromReply, IntoReply, Parts, Reply, ReplyType, no_variant, variant,
    widest,
};
pub use crate::rule::{Name, Term};

/// Makes the registration of an enum's channels.
#[cfg(feature = "server")]
pub const fn channels(list: &'static [Channel], file: &'static str, line: u32) -> Channels {
    let (prepare, describe) = (serving::declare, builtin::describe_channels);
    Channels { list, file, line, prepare, describe }
}

/// Boxes the future of an async command.
#[cfg(feature = "server")]
pub fn future(future: impl Future<Output = Result<Answered, Failure>> + Send + 'static) -> Running {
    Box::pin(future)
}

/// Passes on the generated code that only a server has.
#[cfg(feature = "server")]
#[doc(hidden)]
#[macro_export]
macro_rules! __dockipc_server {
    ($($code:tt)*) => { $($code)* };
}

/// Drops the generated code that only a server has.
// The macros cannot see the features with which dockipc is compiled.
#[cfg(not(feature = "server"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __dockipc_server {
    ($($code:tt)*) => {};
}
