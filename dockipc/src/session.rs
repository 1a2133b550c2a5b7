//! The state of one connection: protocol, name and authentication.
//!
//! A [`Session`] is created when a client connects. Built-in commands change it; dispatch reads it.

use std::any::Any;
use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use crate::access::{Credentials, SocketId};
use crate::buffer::Buffer;
use crate::error::{Failure, code};
use crate::later::ItemForm;
use crate::peer::Peer;
use crate::reply::Reply;
use crate::run::Token;
use crate::wire::Protocol;

/// The state of one connection besides its input.
pub(crate) struct Session {
    /// The connection's id, unique in the process.
    pub(crate) id: u64,
    pub(crate) peer: Peer,
    /// The socket through which the client connected.
    pub(crate) socket: SocketId,
    /// The client has sent the right token.
    pub(crate) has_token: bool,
    /// The number of wrong tokens so far.
    pub(crate) wrong_tokens: u8,
    /// The reason why the current command's token was refused, until the audit has recorded it.
    pub(crate) refused_token: Option<Cow<'static, str>>,
    /// The answer to that command while the audit waits for a thread. The command is then shown again,
    /// and its token must not count twice.
    pub(crate) held_answer: Option<Reply>,
    /// The time when the client connected, for the token's time limit.
    pub(crate) connected: Instant,
    pub(crate) protocol: Protocol,
    /// The name set with `CLIENT SETNAME`.
    pub(crate) name: Vec<u8>,
    /// The signs of life that the client's library can take.
    library_signs: Signs,
    /// The connection ends after the current answer.
    pub(crate) is_last: bool,
    /// State that few connections have. `None` while it is empty, so that a command makes one check.
    pub(crate) aside: Option<Box<Aside>>,
    /// The options that our own client sent with the current command.
    pub(crate) opening: Option<Opening>,
    /// The beginning of the messages in which the client gets the items of a stream: it has subscribed to a call.
    pub(crate) messages: Option<Arc<[u8]>>,
    /// The server stops when the answer is sent.
    pub(crate) stops_server: Cell<bool>,
    /// The client gets the answer to the current command as JSON text.
    #[cfg(feature = "json")]
    pub(crate) is_json_call: bool,
}

/// The parts of a session that few connections have.
#[derive(Default)]
pub(crate) struct Aside {
    /// The commands since `MULTI`; `None` outside of a transaction.
    transaction: Option<Queue>,
    /// The channels to which the client has subscribed, at least one.
    subscriber: Option<Box<dyn Subscribed>>,
    /// The client gets each answer as JSON text.
    #[cfg(feature = "json")]
    as_json: bool,
}

impl Aside {
    fn is_empty(&self) -> bool {
        #[cfg(feature = "json")]
        if self.as_json {
            return false;
        }
        self.transaction.is_none() && self.subscriber.is_none()
    }
}

/// Converts an answer to the format that the client has asked for.
pub(crate) type Format = fn(Reply) -> Reply;

/// The subscriptions of one connection. They end when it is dropped.
pub(crate) trait Subscribed: Send {
    /// Appends the queued events, at most about `most` bytes.
    fn take(&mut self, form: Form, most: usize, out: &mut Vec<u8>) -> Taken;

    /// Returns the answer to a command that a subscribed RESP2 client can't run, or to its `PING`.
    fn limit(&self, name: &[u8], next: Option<&[u8]>) -> Option<Reply>;

    /// The server stops: what the subscriptions have begun ends.
    fn stop(&self);

    fn as_any(&mut self) -> &mut dyn Any;
}

/// The result of taking queued events.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taken {
    /// More events are queued.
    pub(crate) has_more: bool,
    /// The last subscription of a line has ended, and so does the connection.
    pub(crate) is_over: bool,
}

/// How events are written for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A line each.
    Line,
    /// Arrays, for Redis clients.
    Resp2,
    /// Push frames, for Redis clients.
    Resp3,
    /// Push frames with the value itself, for our own client.
    Typed,
}

/// The options of a command that our own client sends, `DOCKIPC WITH`. Such a command is cancelled when the client
/// ends its side of the connection.
#[derive(Default)]
pub(crate) struct Opening {
    /// The time until which the client waits.
    pub(crate) deadline: Option<Instant>,
    /// The form in which the client takes the items of a stream. None if it takes them as one answer.
    pub(crate) stream: Option<ItemForm>,
    /// A body follows in `DOCKIPC DATA` and `END`.
    pub(crate) body: bool,
    /// The body is items, written as values.
    pub(crate) has_items: bool,
    /// The client gets the command's progress.
    pub(crate) progress: bool,
    /// The call runs once, however often it is repeated.
    pub(crate) once: Option<Token>,
}

/// The commands that a client has queued since `MULTI`.
#[derive(Default)]
pub(crate) struct Queue {
    /// The commands as received, one after another.
    bytes: Buffer,
    count: usize,
    /// A command was refused, so that `EXEC` runs none.
    is_refused: bool,
}

/// The most commands of a transaction.
const MOST_QUEUED: usize = 10_000;

impl Queue {
    /// Appends a command. `limit` is the most bytes of all commands together.
    pub(crate) fn push(&mut self, command: &[u8], limit: usize) -> Result<(), Failure> {
        if self.is_refused {
            return Ok(());
        }
        if self.count == MOST_QUEUED {
            let why = format_args!("a transaction has at most {MOST_QUEUED} commands");
            return Err(Failure::new(code::TOOBIG, why));
        }
        if command.len() > limit - self.bytes.len() {
            let why = format_args!("the commands of the transaction are longer than {limit} bytes");
            return Err(Failure::new(code::TOOBIG, why));
        }
        self.bytes.extend_from_slice(command);
        self.count += 1;
        Ok(())
    }

    /// Drops the commands, since one was refused.
    pub(crate) fn refuse(&mut self) {
        *self = Self { is_refused: true, ..Self::default() };
    }

    /// Returns the commands, or `None` if one was refused.
    pub(crate) fn into_commands(self) -> Option<Buffer> {
        (!self.is_refused).then_some(self.bytes)
    }

    /// Returns the number of bytes that it holds.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
}

impl Session {
    pub(crate) fn new(id: u64, peer: Peer, socket: SocketId) -> Self {
        Self {
            id,
            peer,
            socket,
            has_token: false,
            wrong_tokens: 0,
            refused_token: None,
            held_answer: None,
            connected: Instant::now(),
            protocol: Protocol::Line,
            name: Vec::new(),
            library_signs: Signs::None,
            is_last: false,
            aside: None,
            opening: None,
            messages: None,
            stops_server: Cell::new(false),
            #[cfg(feature = "json")]
            is_json_call: false,
        }
    }

    /// Returns the session of a call to which the client has subscribed. Its messages begin so.
    pub(crate) fn of_call(&self, messages: Arc<[u8]>) -> Self {
        let (protocol, has_token) = (self.protocol, self.has_token);
        let session = Self::new(self.id, self.peer.clone(), self.socket);
        Self { protocol, has_token, messages: Some(messages), ..session }
    }

    /// Notes the client's library, from `CLIENT SETINFO LIB-NAME`. Empty for an unknown one.
    pub(crate) fn set_library(&mut self, name: &[u8]) {
        self.library_signs = Signs::of_library(name);
    }

    /// Returns the signs of life that the client gets now.
    pub(crate) fn signs(&self) -> Signs {
        // RESP2 and lines have no push frames.
        if self.protocol == Protocol::Resp3 { self.library_signs } else { Signs::None }
    }

    /// Returns whether commands are queued for `EXEC`.
    #[inline]
    pub(crate) fn is_in_transaction(&self) -> bool {
        self.aside.as_ref().is_some_and(|aside| aside.transaction.is_some())
    }

    /// Returns the commands since `MULTI`.
    pub(crate) fn transaction(&mut self) -> Option<&mut Queue> {
        self.aside.as_mut()?.transaction.as_mut()
    }

    pub(crate) fn begin_transaction(&mut self) {
        self.aside.get_or_insert_default().transaction = Some(Queue::default());
    }

    /// Ends a transaction. Returns its commands.
    #[cold]
    #[inline(never)]
    pub(crate) fn end_transaction(&mut self) -> Option<Queue> {
        let queue = self.aside.as_mut()?.transaction.take();
        self.aside.take_if(|aside| aside.is_empty());
        queue
    }

    /// Returns the bytes of the commands since `MULTI`.
    #[inline]
    pub(crate) fn queued(&self) -> usize {
        let queue = self.aside.as_ref().and_then(|aside| aside.transaction.as_ref());
        queue.map_or(0, Queue::len)
    }

    /// Returns whether the client has subscribed to a channel.
    #[inline]
    pub(crate) fn is_subscribed(&self) -> bool {
        self.aside.as_ref().is_some_and(|aside| aside.subscriber.is_some())
    }

    pub(crate) fn subscriber(&mut self) -> Option<&mut dyn Subscribed> {
        Some(&mut **self.aside.as_mut()?.subscriber.as_mut()?)
    }

    pub(crate) fn subscribe(&mut self, subscriber: Box<dyn Subscribed>) {
        self.aside.get_or_insert_default().subscriber = Some(subscriber);
    }

    /// Ends all subscriptions.
    #[cold]
    #[inline(never)]
    pub(crate) fn end_subscriptions(&mut self) {
        if let Some(aside) = &mut self.aside {
            aside.subscriber = None;
        }
        self.aside.take_if(|aside| aside.is_empty());
    }

    /// Chooses whether the client gets each answer as JSON text.
    #[cfg(feature = "json")]
    pub(crate) fn set_json(&mut self, as_json: bool) {
        if as_json || self.aside.is_some() {
            self.aside.get_or_insert_default().as_json = as_json;
        }
        self.aside.take_if(|aside| aside.is_empty());
    }

    /// Returns the format of the answers, if it is not that of the protocol.
    #[inline]
    #[cfg_attr(not(feature = "json"), expect(clippy::unused_self, reason = "no other format"))]
    pub(crate) fn format(&self) -> Option<Format> {
        #[cfg(feature = "json")]
        if self.is_json_call || self.aside.as_ref().is_some_and(|aside| aside.as_json) {
            return Some(crate::wire::json::answer);
        }
        None
    }

    /// Returns an answer in the format that the client has asked for.
    #[inline]
    pub(crate) fn formatted(&self, reply: Reply) -> Reply {
        match self.format() {
            Some(format) => format(reply),
            None => reply,
        }
    }

    /// Returns how events are written for the client.
    pub(crate) fn form(&self) -> Form {
        match self.protocol {
            Protocol::Line => Form::Line,
            Protocol::Resp2 => Form::Resp2,
            Protocol::Resp3 if self.library_signs == Signs::Steady => Form::Typed,
            Protocol::Resp3 => Form::Resp3,
        }
    }

    pub(crate) fn credentials(&self) -> Credentials<'_> {
        Credentials { peer: &self.peer, has_token: self.has_token, socket: self.socket }
    }
}

/// The signs of life of a client: push frames while its command waits for a thread or runs.
///
/// Many RESP3 clients take any push frame for the answer to their command, and each later answer for that of
/// the next command: redis-rb's redis-client, predis, fred, older versions of StackExchange.Redis. So only
/// libraries that are known to skip push frames get them. A client that names no library gets none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signs {
    None,
    /// For Redis clients: part of a push frame, at an interval just under the default timeout of redis-py.
    Slow,
    /// For our own client: a push frame every second, so that a short read timeout tells a busy daemon from
    /// a dead one.
    Steady,
}

/// The libraries that skip push frames, as they name themselves. `tests/wire/push.rs` has each of them.
const SKIP_PUSH_FRAMES: [&str; 5] = ["redis-py", "valkey-py", "node-redis", "ioredis", "redis-rs"];

impl Signs {
    fn of_library(name: &[u8]) -> Self {
        // Behind the library's name, in parentheses, is that of a wrapper or of the application:
        // `redis-py(django-redis_v5.4.0)`, `node-redis(billing)`.
        let end = name.iter().position(|&b| b == b'(').filter(|_| name.ends_with(b")"));
        let name = &name[..end.unwrap_or(name.len())];
        if name == b"dockipc" {
            Self::Steady
        } else if SKIP_PUSH_FRAMES.iter().any(|known| known.as_bytes() == name) {
            Self::Slow
        } else {
            Self::None
        }
    }
}
