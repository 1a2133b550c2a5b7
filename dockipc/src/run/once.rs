//! [`Once`], the parameter by which a command learns the token of a call that is to run exactly once.

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Failure, code};

/// The token of a call that runs exactly once; injected as a parameter. `Option<Once>` is `None` for a call without
/// a token, which a command that takes `Once` itself refuses.
///
/// The client makes the token ([`Call::once`](crate::client::Call::once)), and sends the same one when it repeats the
/// call. The daemon, if [`Server::once`](crate::Server::once) or [`Server::once_file`](crate::Server::once_file) is
/// on, then answers with the first run's answer. A command needs this parameter only if its effect outlives the
/// daemon: a process that is killed between the effect and the record of its answer leaves a call of which nobody
/// knows whether it had its effect. A command that records the token together with the effect, in one transaction of
/// its own, knows it:
///
/// ```standalone_crate
/// use dockipc::{Failure, Once, State, command};
/// # struct Db; struct Tx;
/// # impl Db { fn begin(&self) -> Tx { Tx } }
/// # impl Tx {
/// #     fn paid(&self, _: &str) -> Option<u64> { None }
/// #     fn pay(&self, _: u64, _: u64) -> u64 { 7 }
/// #     fn record(&self, _: &str, _: u64) {}
/// #     fn commit(self) -> Result<(), Failure> { Ok(()) }
/// # }
///
/// /// Pay an amount and answer with the number of the payment.
/// #[command]
/// fn pay(db: State<Db>, once: Once, to: u64, amount: u64) -> Result<u64, Failure> {
///     let transaction = db.begin();
///     // Only after the daemon was killed, or was restarted without a file.
///     if let Some(number) = transaction.paid(once.token()) {
///         return Ok(number);
///     }
///     let number = transaction.pay(to, amount);
///     transaction.record(once.token(), number);
///     transaction.commit()?;
///     Ok(number)
/// }
/// ```
///
/// Such a command is run again for a token of which the daemon's file says that it began and not how it ended
/// ([`is_repeat`](Self::is_repeat)). Without the parameter the repeat gets `-FORGOTTEN`, and nothing runs.
#[derive(Clone)]
pub struct Once {
    token: Arc<str>,
    is_repeat: bool,
}

impl Once {
    /// Makes the token of no call, for a test that calls the command's function.
    pub fn new(token: impl Into<String>) -> Self {
        Self { token: token.into().into(), is_repeat: false }
    }

    /// Returns the token: 1 to 64 letters, digits, `.`, `_`, `:` and `-`. Those of our client have 32.
    ///
    /// It is unique for the caller's user. Two users may send the same one.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Returns whether the daemon ended in an earlier run of this call, which may have had its effect.
    pub fn is_repeat(&self) -> bool {
        self.is_repeat
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("token", &self.token).finish_non_exhaustive()
    }
}

/// The token of a call, as it came.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) text: Arc<str>,
    /// A hash of the call's words, its name included.
    pub(crate) words: u64,
}

impl Token {
    const LONGEST: usize = 64;

    pub(crate) fn read(word: &[u8]) -> Result<Self, Failure> {
        let fits = |b: &u8| b.is_ascii_alphanumeric() || b"._:-".contains(b);
        let text = std::str::from_utf8(word).unwrap_or_default();
        if text.is_empty() || text.len() > Self::LONGEST || !word.iter().all(fits) {
            let why = "once is a token: 1 to 64 letters, digits, \".\", \"_\", \":\" and \"-\"";
            return Err(Failure::new(code::USAGE, why));
        }
        Ok(Self { text: text.into(), words: 0 })
    }
}

/// Returns a hash of words that is the same in each build, FNV-1a. A collision is a caller's own: the words tell a
/// repeat from a mistake, not one user from another.
pub(crate) fn hash<'w>(words: impl Iterator<Item = &'w [u8]>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for &b in bytes {
            hash = (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for word in words {
        add(&word.len().to_le_bytes());
        add(word);
    }
    hash
}

/// The part of a command's identity that a call with a token has.
pub(crate) struct OnceCall {
    pub(crate) token: Token,
    /// The caller has sent the daemon's token: it may get another answer than one that has not.
    pub(crate) has_rights: bool,
    /// The call is the first with its token, so that the command runs, and does not wait for another run.
    is_first: AtomicBool,
    is_repeat: AtomicBool,
    /// The place of a command that is answered later in the table of running ones: it outlives its connection.
    place: Mutex<Place>,
}

enum Place {
    Runs(Option<Box<dyn Any + Send>>),
    Ended,
}

impl OnceCall {
    pub(crate) fn new(token: Token, has_rights: bool) -> Self {
        let place = Mutex::new(Place::Runs(None));
        let (is_first, is_repeat) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { token, has_rights, is_first, is_repeat, place }
    }

    /// The command is about to run. `Relaxed`: read by this thread, or by one that gets the call through a lock.
    pub(crate) fn begin(&self, is_repeat: bool) {
        self.is_first.store(true, Ordering::Relaxed);
        self.is_repeat.store(is_repeat, Ordering::Relaxed);
    }

    pub(crate) fn is_first(&self) -> bool {
        self.is_first.load(Ordering::Relaxed)
    }

    pub(crate) fn value(&self) -> Once {
        let is_repeat = self.is_repeat.load(Ordering::Relaxed);
        Once { token: Arc::clone(&self.token.text), is_repeat }
    }

    /// Keeps a value until the call's end.
    pub(crate) fn keep(&self, place: Box<dyn Any + Send>) {
        if let Place::Runs(kept) = &mut *self.place.lock().unwrap_or_else(PoisonError::into_inner) {
            *kept = Some(place);
        }
    }

    /// The call has ended.
    pub(crate) fn end(&self) {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = std::mem::replace(&mut *place, Place::Ended);
        drop(place);
        drop(kept);
    }
}
