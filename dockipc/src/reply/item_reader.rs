//! [`ItemReader`], the items of a body as the bytes that are sent.

use std::fmt;
use std::io::{self, Read};

use super::{IntoReply, Reply};
use crate::wire::{Outgoing, Protocol, encode};

/// Reads the items of an iterator as RESP3 values. An item that is an `Err` is an error of the reader.
///
/// A read returns the bytes of one item, or of a part of it, so that an item is sent before the next one is asked for.
pub struct ItemReader<I> {
    items: I,
    /// The bytes of an item, of which those from `at` are not read.
    item: Vec<u8>,
    at: usize,
}

impl<I> ItemReader<I> {
    pub(crate) fn new(items: I) -> Self {
        Self { items, item: Vec::new(), at: 0 }
    }
}

impl<I: Iterator<Item: IntoReply>> Read for ItemReader<I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.item.len() {
            let Some(item) = self.items.next() else { return Ok(0) };
            self.at = 0;
            encode_item(item.into_reply(), &mut self.item)?;
        }
        let count = (&self.item[self.at..]).read(buffer)?;
        self.at += count;
        Ok(count)
    }
}

/// Makes `bytes` those of an item. One that is an `Err` is an error.
pub(crate) fn encode_item(item: Reply, bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes.clear();
    if let Reply::Error(failure) = item {
        return Err(io::Error::other(failure.message()));
    }
    let mut out = Outgoing::default();
    std::mem::swap(out.tail(), bytes);
    encode::reply(item, Protocol::Resp3, &mut out);
    out.move_to(bytes);
    Ok(())
}

impl<I> fmt::Debug for ItemReader<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ItemReader").finish_non_exhaustive()
    }
}
