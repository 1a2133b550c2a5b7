//! The connections that are kept for the next calls.

use std::sync::{Mutex, PoisonError};

use super::connection::Connection;

/// So many connections are kept when nobody uses them.
const MOST_IDLE: usize = 16;

/// The connections that nobody uses, the last one used on top.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    pub(super) fn take(&self) -> Option<Connection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    pub(super) fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE {
            idle.push(connection);
        }
    }
}
