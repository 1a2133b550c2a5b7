//! Reading the items of a stream, which come in push frames in front of the answer.

use super::Connection;
use crate::client::limits::CallLimits;
use crate::error::Result;
use crate::reply::Reply;

/// The beginning of a push frame with an item. The item follows.
const ITEM: &[u8] = b">3\r\n$7\r\ndockipc\r\n$4\r\nitem\r\n";

/// An item of a stream, or the answer that ends it.
pub(in crate::client) enum Event {
    Item(Reply),
    Answer(Reply),
}

/// The kind of the next frame.
pub(super) enum Kind {
    /// An item, whose beginning was taken.
    Item,
    /// Another push frame.
    Push,
    /// The answer, with this first byte.
    Answer(u8),
}

impl Connection {
    /// Reads the next item, or the answer.
    pub(in crate::client) fn read_event(&mut self, call: &CallLimits<'_>) -> Result<Event> {
        loop {
            match self.next_kind(call)? {
                Kind::Item => return self.read(call).map(Event::Item),
                Kind::Push => drop(self.read_frame(call)?),
                Kind::Answer(_) => {
                    let answer = self.read(call)?;
                    return Ok(Event::Answer(self.explained(answer, call)));
                }
            }
        }
    }

    pub(super) fn next_kind(&mut self, call: &CallLimits<'_>) -> Result<Kind> {
        loop {
            match self.kind() {
                Ok(kind) => return Ok(kind),
                Err(need) => self.fill(need, call)?,
            }
        }
    }

    /// Returns what comes next, or how many bytes are needed to tell.
    pub(super) fn kind(&mut self) -> Result<Kind, usize> {
        let unread = self.unread();
        match unread.first() {
            None => Err(1),
            Some(b'>') if unread.starts_with(ITEM) => {
                self.start += ITEM.len();
                Ok(Kind::Item)
            }
            Some(b'>') if ITEM.starts_with(unread) => Err(ITEM.len()),
            Some(b'>') => Ok(Kind::Push),
            Some(&first) => Ok(Kind::Answer(first)),
        }
    }

    /// Steps back to the beginning of an item.
    #[cfg(feature = "tokio")]
    pub(super) fn unread_item(&mut self) {
        self.start -= ITEM.len();
    }
}
