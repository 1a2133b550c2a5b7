//! [`Request`], one whole command.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::arg::Arg;
use crate::error::{Failure, code};
use crate::peer::Peer;
use crate::run::Cancel;
use crate::secret::HIDDEN;
use crate::state::{State, States};
use crate::wire::{Protocol, Span};

/// One command: its name, its words and its caller.
///
/// A closure gets only a request. A `#[command]` function can take `&Request` beside its typed
/// parameters.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    name: &'r str,
    pub(crate) words: Words<'r>,
    caller: Caller<'r>,
    id: u64,
    /// Whether a word may be a secret, so that messages must not show the words.
    has_secret: bool,
    /// The command's identity while it runs, if it has one.
    run: Option<&'r Cancel>,
}

/// The caller of a request, and the server's states.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'r> {
    pub(crate) peer: &'r Peer,
    pub(crate) connection: u64,
    pub(crate) protocol: Protocol,
    pub(crate) states: &'r States,
}

/// The words of a request after its name, as spans of the input and of the unquoted text.
#[derive(Clone, Copy)]
pub(crate) struct Words<'r> {
    pub(crate) input: &'r [u8],
    pub(crate) text: &'r [u8],
    pub(crate) spans: &'r [Span],
}

impl<'r> Words<'r> {
    pub(crate) fn get(&self, index: usize) -> Option<&'r [u8]> {
        self.spans.get(index).map(|span| span.of(self.input, self.text))
    }

    /// Returns the words without the first `count`.
    pub(crate) fn skip(self, count: usize) -> Self {
        Self { spans: self.spans.get(count..).unwrap_or_default(), ..self }
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &'r [u8]> + use<'r> {
        let Self { input, text, spans } = *self;
        spans.iter().map(move |span| span.of(input, text))
    }
}

/// The number of ids that a thread takes at a time. Taking each from a shared counter would cost as much
/// as some commands.
const IDS: u64 = 1024;

thread_local! {
    /// The last id that this thread has taken. It has none left if this is a multiple of [`IDS`].
    static LAST_ID: Cell<u64> = const { Cell::new(0) };
}

pub(crate) fn next_id() -> u64 {
    static TAKEN: AtomicU64 = AtomicU64::new(0);
    let mut last = LAST_ID.get();
    if last.is_multiple_of(IDS) {
        last = TAKEN.fetch_add(IDS, Ordering::Relaxed);
    }
    LAST_ID.set(last + 1);
    last + 1
}

impl<'r> Request<'r> {
    /// Messages do not show the words if `has_secret`.
    pub(crate) fn new(
        name: &'r str,
        words: Words<'r>,
        caller: Caller<'r>,
        has_secret: bool,
    ) -> Self {
        Self { name, words, caller, id: next_id(), has_secret, run: None }
    }

    /// Gives the command an identity, which has the request's id.
    pub(crate) fn with_run(self, run: &'r Cancel) -> Self {
        Self { id: run.0.id, run: Some(run), ..self }
    }

    pub(crate) fn has_secret(&self) -> bool {
        self.has_secret
    }

    pub(crate) fn run(&self) -> Option<&'r Cancel> {
        self.run
    }

    /// Returns the command's name as declared; in a fallback, the first word as sent.
    pub fn name(&self) -> &'r str {
        self.name
    }

    /// Returns the words after the name, without quotes. In RESP they can contain any byte.
    ///
    /// A command with options has only the positional words here. With `#[arg(rest)]`, the rest of the line
    /// is one word.
    pub fn words(&self) -> impl ExactSizeIterator<Item = &'r [u8]> + use<'r> {
        self.words.iter()
    }

    /// Returns one of the [`words`](Self::words), counted from 0.
    pub fn word(&self, index: usize) -> Option<&'r [u8]> {
        self.words.get(index)
    }

    /// Parses one of the [`words`](Self::words), counted from 0. A missing word or a bad value is a
    /// failure with the code `USAGE`.
    ///
    /// ```
    /// # use dockipc::{Failure, Request};
    /// let double = |request: &Request<'_>| -> Result<u64, Failure> {
    ///     Ok(request.parse::<u64>(0)? * 2)
    /// };
    /// # let daemon = dockipc::Server::new().handle("double", double).spawn_in_process()?;
    /// # assert_eq!(daemon.client().send("double 21")?, b"42");
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    pub fn parse<T: Arg<'r>>(&self, index: usize) -> Result<T, Failure> {
        let position = index + 1;
        let Some(word) = self.word(index) else {
            let missing = || Failure::new(code::USAGE, format!("word {position} is missing"));
            return T::from_nothing().ok_or_else(missing);
        };
        let what = format!("word {position}");
        T::from_word(word).map_err(|bad| {
            if T::SECRET || self.has_secret {
                bad.hidden(&what, T::TYPE)
            } else {
                bad.failure(&what, word, "")
            }
        })
    }

    /// Returns the credentials of the client.
    pub fn peer(&self) -> &'r Peer {
        self.caller.peer
    }

    pub(crate) fn states(&self) -> &'r States {
        self.caller.states
    }

    /// Returns the state of type `T`, if the server has one.
    pub fn state<T: Send + Sync + 'static>(&self) -> Option<&'r State<T>> {
        self.caller.states.get()
    }

    /// Returns the request's id, unique in this process. Ids are not in the order of time.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Returns the connection's id, unique in this process.
    pub fn connection(&self) -> u64 {
        self.caller.connection
    }

    /// Returns the protocol of the connection.
    pub fn protocol(&self) -> Protocol {
        self.caller.protocol
    }
}

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |word: &[u8]| {
            if self.has_secret { HIDDEN.into() } else { word.escape_ascii().to_string() }
        };
        let words = self.words().map(shown);
        f.debug_struct("Request")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("words", &words.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
