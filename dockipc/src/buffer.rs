//! Buffers whose bytes may be secrets.

use std::ops::Deref;

/// Received bytes or bytes to send, which may contain a secret.
///
/// With the feature `zeroize`, bytes are overwritten when they are consumed, when the buffer moves
/// to another allocation, and when it is freed. All received bytes are stored in a `Buffer`, so
/// nothing has to decide which of them are secret. Without the feature this is a plain `Vec<u8>`.
///
/// Invariant: with the feature, the spare capacity never contains stored bytes; broken by growing
/// or truncating the vector of [`as_vec`](Self::as_vec).
#[derive(Clone, Default)]
pub(crate) struct Buffer(Vec<u8>);

impl Buffer {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    pub(crate) fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// Reserves capacity for `more` bytes.
    pub(crate) fn reserve(&mut self, more: usize) {
        if !cfg!(feature = "zeroize") {
            self.0.reserve(more);
        } else if self.0.capacity() - self.0.len() < more {
            let doubled = self.0.capacity().saturating_mul(2);
            self.move_to(doubled.max(self.0.len().saturating_add(more)));
        }
    }

    pub(crate) fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// Shrinks the capacity to this, or to the length if that is larger.
    pub(crate) fn shrink_to(&mut self, capacity: usize) {
        if !cfg!(feature = "zeroize") {
            self.0.shrink_to(capacity);
        } else if self.0.capacity() > capacity.max(self.0.len()) {
            self.move_to(capacity.max(self.0.len()));
        }
    }

    /// Moves to a new allocation, since `realloc` would not overwrite the old one.
    fn move_to(&mut self, capacity: usize) {
        let mut moved = Self::with_capacity(capacity);
        moved.0.extend_from_slice(&self.0);
        *self = moved;
    }

    pub(crate) fn clear(&mut self) {
        wipe(&mut self.0);
        self.0.clear();
    }

    /// Removes bytes from the front.
    pub(crate) fn consume(&mut self, count: usize) {
        let count = count.min(self.0.len());
        let left = self.0.len() - count;
        self.0.copy_within(count.., 0);
        wipe(&mut self.0[left..]);
        self.0.truncate(left);
    }

    /// Returns the vector, for writing into [reserved](Self::reserve) capacity. Growing it beyond
    /// that would leave a copy behind.
    pub(crate) fn as_vec(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(feature = "zeroize")]
impl Drop for Buffer {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Overwrites bytes with zeros, if the feature `zeroize` is on.
#[cfg(feature = "zeroize")]
pub(crate) fn wipe(bytes: &mut [u8]) {
    zeroize::Zeroize::zeroize(bytes);
}

#[cfg(not(feature = "zeroize"))]
pub(crate) fn wipe(_: &mut [u8]) {}

#[cfg(test)]
mod tests {
    use super::Buffer;

    #[test]
    fn reallocation_keeps_the_bytes() {
        let mut buffer = Buffer::default();
        for chunk in [&b"abc"[..], b"", b"defghijklmnopqrstuvwxyz"] {
            buffer.extend_from_slice(chunk);
        }
        buffer.reserve(1000);
        assert!(buffer.capacity() >= 1026);
        buffer.consume(20);
        buffer.shrink_to(12);
        assert!(buffer.capacity() < 1000);
        assert_eq!(&*buffer, b"uvwxyz");
        buffer.consume(100);
        assert!(buffer.is_empty());
        buffer.extend_from_slice(b"x");
        buffer.clear();
        assert!(buffer.is_empty());
    }
}
