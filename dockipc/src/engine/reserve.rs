//! Descriptors that are kept open, so that root and the daemon's user can connect when the process has
//! no others left.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) struct Reserve {
    kept: Mutex<Vec<OwnedFd>>,
    /// How many are to be kept.
    size: usize,
    /// Fewer are kept. Read without the lock, for each connection that comes or goes.
    is_short: AtomicBool,
}

impl Reserve {
    pub(super) fn new(size: usize) -> Self {
        Self { kept: Mutex::default(), size, is_short: AtomicBool::new(size > 0) }
    }

    #[inline(never)]
    fn kept(&self) -> MutexGuard<'_, Vec<OwnedFd>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_short(&self) -> bool {
        self.is_short.load(Ordering::Relaxed)
    }

    /// Gives a descriptor up, so that the next call that needs one has it. False if there is none.
    pub(super) fn lend(&self) -> bool {
        let mut kept = self.kept();
        if self.size > 0 {
            self.is_short.store(true, Ordering::Relaxed);
        }
        kept.pop().is_some()
    }

    /// Takes descriptors, which are copies of this one, until there are enough. False if the process
    /// can't have them.
    #[cold]
    pub(super) fn fill(&self, any: &OwnedFd) -> bool {
        let mut kept = self.kept();
        while kept.len() < self.size {
            let Ok(copy) = rustix::io::fcntl_dupfd_cloexec(any, 0) else { break };
            kept.push(copy);
        }
        let is_full = kept.len() >= self.size;
        self.is_short.store(!is_full, Ordering::Relaxed);
        is_full
    }
}
