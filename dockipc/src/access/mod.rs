//! Who may run what.
//!
//! A command has a rule, given at its function or at the [`Server`](crate::Server), or none. Rules
//! are read and their names looked up when the server starts; a call is decided by numbers.

mod credentials;
mod guesses;
mod offer;
mod policy;
mod rule;
mod token;

pub(crate) use credentials::{Credentials, SocketId};
pub(crate) use guesses::{Attempt, Guesses};
pub use offer::Access;
pub(crate) use policy::{Pattern, Policy};
pub(crate) use rule::parse;
pub use rule::{Name, Term};
pub(crate) use token::Token;
