//! Queues the commands of a transaction, and runs them.
//!
//! A command that follows `MULTI` is routed, authorized and parsed before it is queued, and again when
//! it runs. `EXEC` makes an [`Execution`], which runs one command in each step of the connection: the
//! engine treats each like a command of a pipeline, so that a slow one stalls no other connection, and
//! the conversation answers when all have run.

use std::time::Instant;

use super::{Executor, Outcome, Service, Step};
use crate::buffer::Buffer;
use crate::builtin;
use crate::commands::BuiltIn;
use crate::error::{Failure, code};
use crate::param::Scratch;
use crate::reply::Reply;
use crate::request::Words;
use crate::session::Session;
use crate::text::is;
use crate::wire::{Decoded, Decoder, Frame};

/// The commands of an `EXEC` that runs.
pub(super) struct Execution {
    commands: Buffer,
    /// The bytes of `commands` that have run.
    done: usize,
    answers: Vec<Reply>,
    /// The memory of the answers, about.
    size: usize,
    /// The bytes of `EXEC` itself, and of what was skipped in front of it.
    used: usize,
    times: SignTimes,
    /// The answer to the commands that have not run yet.
    refused: Option<Failure>,
    /// The answer, if all have run and it waits for events to be sent first.
    held: Option<Reply>,
    /// These are sent.
    is_behind_events: bool,
}

/// Since when an `EXEC` runs, for its signs of life.
#[derive(Clone, Copy)]
pub(crate) struct SignTimes {
    pub(crate) since: Instant,
    /// When the client was last told that it runs, or when it began.
    pub(crate) last_sign: Instant,
}

/// The most bytes of answers that are kept for the answer to `EXEC`.
const MOST_ANSWERED: usize = 16 << 20;

impl Service {
    /// Queues a command that follows `MULTI`, or answers one that is not queued. Returns `None` if the
    /// author's code, which records a denied command, can't run now.
    #[cold]
    pub(super) fn queue(
        &self,
        session: &mut Session,
        input: &[u8],
        frame: Frame,
        scratch: &mut Scratch,
        executor: &mut dyn Executor,
    ) -> Option<Reply> {
        let reply = match first_word(input, scratch) {
            (name, 1) if is(Some(name), "discard") => {
                session.end_transaction();
                return Some(Reply::Ok);
            }
            (name, _) if is(Some(name), "discard") || is(Some(name), "exec") => {
                Reply::Error(Failure::new(code::USAGE, "EXEC and DISCARD take no arguments"))
            }
            _ => match self.dispatch(session, input, frame, scratch, executor) {
                Outcome::Reply(reply) => reply,
                Outcome::NotNow => return None,
                Outcome::Later(_) | Outcome::Told(_) => {
                    unreachable!("a queued command does not run")
                }
                Outcome::Unread(reply) => {
                    // The body would be taken for commands.
                    session.is_last = true;
                    reply
                }
            },
        };
        // RESET and QUIT end the transaction.
        let Some(queue) = session.transaction() else { return Some(reply) };
        let queued = match reply {
            Reply::Error(failure) => Err(failure),
            _ => queue.push(input, self.config.limits.command),
        };
        Some(match queued {
            Ok(()) => Reply::Status("QUEUED".into()),
            Err(failure) => {
                queue.refuse();
                Reply::Error(failure)
            }
        })
    }

    /// Answers a built-in command that follows `MULTI`, with an error if it can't be queued.
    #[cold]
    pub(super) fn check_builtin(
        &self,
        builtin: BuiltIn,
        session: &mut Session,
        words: Words<'_>,
    ) -> Reply {
        match builtin {
            BuiltIn::Multi | BuiltIn::Quit | BuiltIn::Reset | BuiltIn::Watch => {
                builtin::run(builtin, self.context(), session, words)
            }
            // An answer has one protocol. A command is authorized when it is queued: a later token would
            // not count.
            BuiltIn::Auth | BuiltIn::Dockipc | BuiltIn::Hello => {
                let name = builtin.name();
                let why =
                    format_args!("{name} is not allowed in a transaction; send it before MULTI");
                Reply::Error(Failure::from(why))
            }
            // They came behind a prefix, such as DOCKIPC ARGS.
            BuiltIn::Discard | BuiltIn::Exec => {
                Reply::Error(Failure::from("EXEC and DISCARD take no prefix"))
            }
            _ => Reply::Ok,
        }
    }
}

/// Ends the transaction if the command is its `EXEC`. Returns its execution, or a failure if a command
/// was refused. `used` is the number of bytes up to the end of the command.
#[cold]
pub(super) fn execute(
    session: &mut Session,
    input: &[u8],
    used: usize,
    scratch: &Scratch,
) -> Option<Result<Box<Execution>, Failure>> {
    let (name, 1) = first_word(input, scratch) else { return None };
    let queue = is(Some(name), "exec").then(|| session.end_transaction())??;
    let execution = queue.into_commands().map(|commands| Execution::new(commands, used));
    let why = "Transaction discarded because of previous errors.";
    Some(execution.ok_or_else(|| Failure::protocol(code::EXECABORT, why)))
}

impl Execution {
    fn new(commands: Buffer, used: usize) -> Box<Self> {
        let since = Instant::now();
        Box::new(Self {
            commands,
            done: 0,
            answers: Vec::new(),
            size: 0,
            used,
            times: SignTimes { since, last_sign: since },
            refused: None,
            held: None,
            is_behind_events: false,
        })
    }

    /// Makes one that is at its end, with this answer, in front of which events come.
    pub(super) fn ended(reply: Reply) -> Box<Self> {
        let mut ended = Self::new(Buffer::default(), 0);
        ended.held = Some(reply);
        ended
    }

    /// Makes one that is at its end, with this answer. `used` is the number of bytes up to the end of its command.
    pub(super) fn held(used: usize, reply: Reply) -> Box<Self> {
        let mut held = Self::ended(reply);
        (held.used, held.is_behind_events) = (used, true);
        held
    }

    pub(super) fn is_behind_events(&self) -> bool {
        self.is_behind_events
    }

    /// Runs the next command. Answers if all have run.
    #[cold]
    pub(super) fn step(
        &mut self,
        service: &Service,
        decoder: &mut Decoder,
        session: &mut Session,
        scratch: &mut Scratch,
        executor: &mut dyn Executor,
    ) -> Step {
        if let Some(reply) = self.held.take() {
            return Step::Answer { used: self.used, reply, last: session.is_last };
        }
        let left = &self.commands[self.done..];
        // Each was decoded before, from the same bytes.
        let Decoded::Command { len, frame } = decoder.next(left, &mut scratch.incoming) else {
            let reply = session.formatted(Reply::List(std::mem::take(&mut self.answers)));
            return Step::Answer { used: self.used, reply, last: session.is_last };
        };
        let outcome = match &self.refused {
            Some(failure) => Outcome::Reply(Reply::Error(failure.clone())),
            None => service.dispatch(session, &left[..len], frame, scratch, executor),
        };
        let step = match outcome {
            Outcome::Reply(reply) | Outcome::Unread(reply) => {
                self.answer(reply);
                Step::Continue
            }
            Outcome::Later(pending) => Step::Pending { used: 0, pending },
            Outcome::Told(_) => unreachable!("such a command is not queued"),
            Outcome::NotNow => {
                decoder.unread();
                return Step::NotNow { used: 0 };
            }
        };
        self.done += len;
        step
    }

    /// Keeps the answer of a command.
    pub(super) fn answer(&mut self, reply: Reply) {
        self.size += size(&reply);
        self.answers.push(reply);
        if self.size > MOST_ANSWERED {
            self.refuse(too_long());
        }
    }

    /// Refuses the commands that have not run yet.
    pub(super) fn refuse(&mut self, failure: Failure) {
        self.refused.get_or_insert(failure);
    }

    pub(super) fn times(&mut self) -> &mut SignTimes {
        &mut self.times
    }

    /// Returns the number of bytes that it holds, about.
    pub(super) fn len(&self) -> usize {
        self.commands.len() + self.size
    }
}

#[cold]
fn too_long() -> Failure {
    let why = format_args!(
        "the answers of the transaction are longer than {MOST_ANSWERED} bytes; the command was not run"
    );
    Failure::new(code::TOOBIG, why)
}

/// Returns the first word, and how many there are.
fn first_word<'i>(input: &'i [u8], scratch: &Scratch) -> (&'i [u8], usize) {
    let words = &scratch.incoming;
    (words.first().map_or(&[][..], |span| span.of(input, &[])), words.len())
}

/// Returns the memory of a reply, about.
fn size(reply: &Reply) -> usize {
    let inside = match reply {
        Reply::Bytes(bytes) => bytes.len(),
        Reply::Error(failure) => failure.message().len(),
        Reply::List(items) | Reply::Set(items) => items.iter().map(size).sum(),
        Reply::Map(pairs) => pairs.iter().map(|(key, value)| size(key) + size(value)).sum(),
        Reply::Formed(formed) => size(&formed.value),
        _ => 0,
    };
    size_of::<Reply>() + inside
}
