//! Decides which callers may run which commands.
//!
//! A command has one rule or none, given at its function or at the [`Server`](crate::Server). Rules are
//! parsed and their names resolved when the server starts ([`Policy::new`]); a call is decided by ids alone
//! ([`Policy::allows`]). The input is the [`Credentials`] of a caller, never data that the client sent.

mod credentials;
mod guesses;
mod offer;
mod policy;

pub(crate) use credentials::{Credentials, SocketId};
pub(crate) use guesses::{Attempt, Guesses};
pub use offer::Access;
pub use policy::{Allow, allow};
pub(crate) use policy::{Pattern, Policy};
