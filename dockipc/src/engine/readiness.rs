//! [`Readiness`], the events of a connection since its last turn.

use std::ops::BitOrAssign;

use rustix::event::epoll::EventFlags;

/// The events of a connection's socket and of its timer that are not handled yet. In one byte, since each
/// connection's is moved twice a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Readiness(u8);

impl Readiness {
    pub(super) const NONE: Self = Self(0);
    pub(super) const READABLE: Self = Self(1);
    pub(super) const WRITABLE: Self = Self(1 << 1);
    /// The client has ended its side.
    pub(super) const HALF_CLOSED: Self = Self(1 << 2);
    /// The client has left.
    pub(super) const GONE: Self = Self(1 << 3);
    /// A deadline has passed.
    pub(super) const EXPIRED: Self = Self(1 << 4);
    /// The answer that the connection waits for is there.
    pub(super) const ANSWERED: Self = Self(1 << 5);
    /// The connection is to end at once.
    pub(super) const KILLED: Self = Self(1 << 6);

    /// Returns the meaning of a socket's events, `epoll_ctl(2)`.
    pub(super) fn of(flags: EventFlags) -> Self {
        let mut readiness = Self::NONE;
        if flags.contains(EventFlags::IN) {
            readiness |= Self::READABLE;
        }
        if flags.contains(EventFlags::OUT) {
            readiness |= Self::WRITABLE;
        }
        if flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR) {
            readiness |= Self(Self::READABLE.0 | Self::HALF_CLOSED.0);
        }
        if flags.intersects(EventFlags::HUP | EventFlags::ERR) {
            readiness |= Self(Self::WRITABLE.0 | Self::GONE.0);
        }
        readiness
    }

    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOrAssign for Readiness {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_of_a_client_is_readable_as_well() {
        let [half, whole] = [EventFlags::RDHUP, EventFlags::HUP].map(Readiness::of);
        assert!(half.has(Readiness::READABLE) && half.has(Readiness::HALF_CLOSED));
        assert!(!half.has(Readiness::GONE) && !half.has(Readiness::WRITABLE));
        assert!(whole.has(Readiness::READABLE) && whole.has(Readiness::HALF_CLOSED));
        assert!(whole.has(Readiness::GONE) && whole.has(Readiness::WRITABLE));
        assert_eq!(Readiness::of(EventFlags::IN), Readiness::READABLE);
        assert_eq!(Readiness::of(EventFlags::OUT), Readiness::WRITABLE);
    }
}
