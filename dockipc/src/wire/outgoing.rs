//! [`Outgoing`], the queue of bytes that wait to be sent to one client.

use std::collections::VecDeque;
use std::io::IoSlice;

/// The queue of bytes that wait to be sent to one client.
///
/// Short answers are copied into one buffer, the tail, so that the answers of a pipeline leave together.
/// The bytes of a [long](LONG) one are a part of their own, which is sent from the memory that the
/// author's function returned. No byte is moved once it is in the queue, so that sending takes the same
/// time for each byte, however few the client reads at a time.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    /// The end of the queue.
    tail: Vec<u8>,
    /// The parts in front of the tail. None is empty.
    parts: VecDeque<Vec<u8>>,
    /// The bytes in `parts`.
    parts_len: usize,
    /// The number of bytes that are sent of the first part, or of the tail if there is no other.
    sent: usize,
}

/// The least number of bytes that are sent from the memory in which the author's function returned them.
/// For fewer, a copy costs less than a part of its own.
pub(crate) const LONG: usize = 16 * 1024;

/// The most parts that are sent at a time. A part takes about three: a header, bytes, and a line end.
const PARTS: usize = 32;

impl Outgoing {
    /// Returns the buffer that short answers are appended to.
    ///
    /// Invariant: the caller only appends.
    pub(crate) fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.tail
    }

    /// Appends bytes without copying them.
    pub(crate) fn push(&mut self, bytes: Vec<u8>) {
        self.seal();
        self.push_part(bytes);
    }

    /// Appends what is left of another queue.
    #[cold]
    pub(crate) fn append(&mut self, other: &mut Self) {
        let mut other = std::mem::take(other);
        self.seal();
        other.seal();
        if let Some(first) = other.parts.front_mut() {
            first.drain(..other.sent);
        }
        other.parts.into_iter().for_each(|part| self.push_part(part));
    }

    /// Makes the tail a part, whose memory is freed when it is sent, whatever is appended by then.
    pub(crate) fn seal(&mut self) {
        let tail = std::mem::take(&mut self.tail);
        self.push_part(tail);
    }

    fn push_part(&mut self, mut part: Vec<u8>) {
        // Room for much more than the bytes would be memory that no quota counts.
        if part.capacity() / 2 > part.len() {
            part.shrink_to_fit();
        }
        if !part.is_empty() {
            self.parts_len += part.len();
            self.parts.push_back(part);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of bytes that are not sent.
    pub(crate) fn len(&self) -> usize {
        self.held() - self.sent
    }

    /// Returns the number of bytes in memory: those that are not sent, and those that are sent of the
    /// first part.
    pub(crate) fn held(&self) -> usize {
        self.parts_len + self.tail.len()
    }

    /// Returns the bytes to be sent if they are in one piece.
    pub(crate) fn single(&self) -> Option<&[u8]> {
        self.parts.is_empty().then(|| &self.tail[self.sent..])
    }

    /// Calls a function with the first bytes, `most` at most, in their pieces.
    #[cold]
    pub(crate) fn with_first<T>(
        &self,
        mut most: usize,
        send: impl FnOnce(&[IoSlice<'_>]) -> T,
    ) -> T {
        let mut slices = [IoSlice::new(&[]); PARTS];
        let (mut count, mut sent) = (0, self.sent);
        let pieces = self.parts.iter().chain([&self.tail]);
        for (slice, piece) in slices.iter_mut().zip(pieces) {
            let piece = &piece[sent..];
            let piece = &piece[..piece.len().min(most)];
            (most, sent) = (most - piece.len(), 0);
            if piece.is_empty() {
                break;
            }
            *slice = IoSlice::new(piece);
            count += 1;
        }
        send(&slices[..count])
    }

    /// Removes the first bytes, which are sent. Frees the parts that are sent whole. Returns whether there are
    /// no others.
    pub(crate) fn advance(&mut self, count: usize) -> bool {
        self.sent += count;
        if !self.parts.is_empty() {
            self.drop_sent_parts();
        }
        let is_empty = self.parts.is_empty() && self.sent >= self.tail.len();
        if is_empty {
            self.tail.clear();
            self.sent = 0;
        }
        is_empty
    }

    #[cold]
    fn drop_sent_parts(&mut self) {
        while let Some(first) = self.parts.front()
            && self.sent >= first.len()
        {
            self.sent -= first.len();
            self.parts_len -= first.len();
            self.parts.pop_front();
        }
    }

    /// Empties the queue. Keeps the memory of the tail.
    pub(crate) fn clear(&mut self) {
        if !self.parts.is_empty() {
            self.parts = VecDeque::new();
        }
        self.tail.clear();
        (self.parts_len, self.sent) = (0, 0);
    }

    /// Frees the memory of the tail if the queue is empty and the tail has room for more than this.
    pub(crate) fn keep(&mut self, capacity: usize) {
        if self.tail.capacity() > capacity && self.is_empty() {
            self.tail = Vec::new();
        }
    }

    /// Appends all bytes that are not sent to a buffer.
    #[cold]
    pub(crate) fn move_to(self, out: &mut Vec<u8>) {
        let mut sent = self.sent;
        for part in self.parts.iter().chain([&self.tail]) {
            out.extend_from_slice(&part[sent..]);
            sent = 0;
        }
    }

    /// Returns the capacity of its buffers.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.parts.iter().chain([&self.tail]).map(Vec::capacity).sum()
    }

    /// Returns all bytes that are not sent.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let all = self.parts.iter().chain([&self.tail]).flatten().copied();
        all.skip(self.sent).collect()
    }
}
