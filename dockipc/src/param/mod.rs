//! Binds the words of a command to its typed parameters.
//!
//! `#[command]` declares each parameter as a [`Param`]. [`Unbound::bind`] finds the words of each, and
//! [`FromRequest`] parses them or injects a value. Nothing in here runs a command.

mod apart;
mod args;
mod bind;
mod body;
mod declared;
mod extra;
mod from_request;
mod group;
mod marks;
mod owned;
mod propose;
mod shape;

pub(crate) use apart::{Apart, Call};
pub use args::Args;
pub(crate) use args::Purpose;
pub(crate) use bind::{Bound, Scratch, Unbound};
pub(crate) use body::BodyCode;
pub use declared::{
    DefaultValue, Display, NotDisplay, Param, Way, check, check_alternative, check_async,
    check_field, check_name, check_unnamed, flag, param,
};
pub(crate) use declared::{Usage, number};
pub use extra::Extra;
#[cfg(feature = "pattern")]
pub use extra::Pattern;
pub use from_request::Kind;
pub use from_request::{Flag, FromRequest, Parse};
pub(crate) use from_request::{Needs, Wanted};
pub use group::{CommandSet, Grouped, Variant, base, commands, count, fields, flat, one_of, place};
pub(crate) use group::{Group, leading};
pub use marks::Marks;
pub use owned::OwnedArgs;
pub use propose::Propose;
pub(crate) use shape::Shape;
pub use shape::newest;
