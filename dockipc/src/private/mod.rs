//! The items that generated code uses. Not a public API: they change without notice.

#[cfg(feature = "server")]
mod serving;

pub use std::borrow::Cow;
pub use std::string::{String, ToString};

pub use crate::__dockipc_server as server;
pub use crate::arg::{Arg, BadValue, FromText, is_one_of, no_choice};
pub use crate::client::typed;
pub use crate::client::{Arguments, Commands, ToArg, ToArgs, Way as SentWay};
pub use crate::error::{Coded, Error, Failure, check_code};
pub use crate::reply::{
    Columns, Derived, Fields, FromReply, IntoReply, Parts, Reply, ReplyType, no_variant, variant,
    widest,
};
pub use crate::rule::{Name, Term};

#[cfg(feature = "server")]
pub use self::serving::*;

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
