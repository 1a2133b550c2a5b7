//! [`Replica`], the trait of a state that clients mirror. The server and its clients share it.

use crate::reply::IntoReply;

/// A state that clients mirror from its changes: see [`Events::replicate`](crate::Events::replicate).
///
/// The events of [`replicate`](Self::replicate), applied to any earlier state in their order, must lead to this
/// state: a client that was too slow gets them again.
pub trait Replica: Clone {
    /// One change.
    type Event: IntoReply;

    /// Makes a change.
    fn apply(&mut self, event: &Self::Event);

    /// Returns the state as changes, which a new subscriber gets first.
    fn replicate(&self) -> Vec<Self::Event>;
}
