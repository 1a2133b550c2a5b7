//! The source of an event: the 64 bits that epoll(7) keeps with each descriptor.

/// The source of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Token {
    /// The leader is to look at the hub.
    Wake,
    /// A signal arrived.
    Signals,
    /// It is time to look at the paths.
    Ticker,
    /// A client connects to the endpoint of this index.
    Listener(usize),
    /// Something happened at the path of the endpoint of this index.
    Path(usize),
    /// A connection: its slot in the hub, and the slot's generation.
    Connection { slot: usize, generation: u32 },
}

/// The high half of tokens that are no connection's. No slot has this generation.
const OTHERS: u32 = u32::MAX;

/// The generation that follows another one.
pub(super) fn next_generation(generation: u32) -> u32 {
    (generation + 1) % OTHERS
}

impl Token {
    pub(super) fn to_data(self) -> u64 {
        let (high, low) = match self {
            Self::Wake => (OTHERS, 0),
            Self::Signals => (OTHERS, 1),
            Self::Ticker => (OTHERS, 2),
            Self::Listener(index) => (OTHERS, 3 + 2 * index),
            Self::Path(index) => (OTHERS, 4 + 2 * index),
            Self::Connection { slot, generation } => (generation, slot),
        };
        u64::from(high) << 32 | low as u64
    }

    /// Returns whether this is the data of a connection's token.
    pub(super) fn is_connection(data: u64) -> bool {
        (data >> 32) as u32 != OTHERS
    }

    pub(super) fn from_data(data: u64) -> Self {
        let (high, low) = ((data >> 32) as u32, (data & 0xffff_ffff) as usize);
        match (high, low) {
            (OTHERS, 0) => Self::Wake,
            (OTHERS, 1) => Self::Signals,
            (OTHERS, 2) => Self::Ticker,
            (OTHERS, low) if low % 2 == 1 => Self::Listener((low - 3) / 2),
            (OTHERS, low) => Self::Path((low - 4) / 2),
            (generation, slot) => Self::Connection { slot, generation },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_read_back_from_its_data() {
        let connection = |slot, generation| Token::Connection { slot, generation };
        for token in [
            Token::Wake,
            Token::Signals,
            Token::Ticker,
            Token::Listener(0),
            Token::Listener(7),
            Token::Path(0),
            Token::Path(7),
            connection(0, 0),
            connection(123_456, OTHERS - 1),
        ] {
            assert_eq!(Token::from_data(token.to_data()), token);
            let is_connection = matches!(token, Token::Connection { .. });
            assert_eq!(Token::is_connection(token.to_data()), is_connection);
        }
        assert_eq!(next_generation(OTHERS - 1), 0);
    }
}
