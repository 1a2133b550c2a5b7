//! [`Called`], a call that a client has subscribed to.

/// A call that a client has subscribed to: the items of its stream are the messages. When it is dropped the
/// command is cancelled.
///
/// A trait, since this room knows no commands.
pub(crate) trait Called: Send {
    /// Appends the messages that are there. Returns whether there were any: if not, the connection is woken when there
    /// are.
    fn take(&mut self, out: &mut Vec<u8>) -> bool;

    /// The server stops: the stream ends.
    fn stop(&self);
}
