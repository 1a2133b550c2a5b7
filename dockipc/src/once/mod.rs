//! Remembers the answers to calls with a token, so that a repeated call runs once.
//!
//! [`Remember::run`] stands between dispatch and the command's function. The first call with a token runs; one that
//! comes meanwhile waits for its answer ([`Later`]), and one that comes afterwards gets it. [`memory`] has the answers
//! with their bounds, [`journal`] the file in which they survive a restart. A program that does not switch this on
//! does not contain it: only `server/once.rs` names [`open`].
//!
//! The order of a run is: claim the token (memory), note that the command begins (file), run it, note its answer
//! (file, then memory), tell those who wait. Invariant: the memory is locked for a moment, and never over the
//! author's code or a system call. The file is locked over writing to it, and before the memory.

mod form;
mod journal;
mod memory;

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use self::form::{Answer, Kind, Record};
use self::journal::Journal;
use self::memory::{Claim, Key, Memory};
use crate::answer::{Answered, Coming};
use crate::caught::caught;
use crate::config::OnceLimits;
use crate::error::{Failure, Result, code};
use crate::later::{Bell, Given, Later, WhenStopped};
use crate::reply::Reply;
use crate::run::{Cancel, OnceCall, hash};
use crate::warning::warn;

/// Runs each call with a token once.
pub(crate) trait Remember: Send + Sync {
    /// Runs a command, or returns the answer of its first run, now or later.
    ///
    /// `resumes`: a command of which nobody knows whether it had its effect is run again, since it takes its token.
    fn run(
        self: Arc<Self>,
        run: &Cancel,
        resumes: bool,
        panicked: fn(&str) -> Reply,
        function: &mut dyn FnMut() -> Ran,
    ) -> Ran;

    /// Returns the store's identity: a client does not repeat a call at another one, which can't know it.
    fn id(&self) -> &str;
}

/// The result of a command's function. The error is that of words that it did not take: it has not run.
type Ran = std::result::Result<Answered, Failure>;

/// Opens the store of a server.
pub(crate) type Open =
    fn(OnceLimits, Option<PathBuf>, Option<&UnixStream>) -> Result<Arc<dyn Remember>>;

/// Opens a store; with a path, in this file. An error of the kind `Interrupted` if a signal comes meanwhile at the
/// socket `signals`.
pub(crate) fn open(
    limits: OnceLimits,
    path: Option<PathBuf>,
    signals: Option<&UnixStream>,
) -> Result<Arc<dyn Remember>> {
    let mut memory = Memory::new(limits);
    let (id, journal) = match path {
        None => (new_id(), None),
        Some(path) => {
            let now = Instant::now();
            let each = &mut |record: &Record<'_>| memory.restore(record, now);
            let (journal, id) = Journal::open(path, signals, each)?;
            memory.trim();
            (id, Some(Mutex::new(journal)))
        }
    };
    Ok(Arc::new(Store { id, memory: Mutex::new(memory), journal }))
}

/// Returns 64 random bits as text.
fn new_id() -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    std::format!("{:016x}", RandomState::new().build_hasher().finish())
}

struct Store {
    id: String,
    memory: Mutex<Memory>,
    journal: Option<Mutex<Journal>>,
}

impl Remember for Store {
    fn run(
        self: Arc<Self>,
        run: &Cancel,
        resumes: bool,
        panicked: fn(&str) -> Reply,
        function: &mut dyn FnMut() -> Ran,
    ) -> Ran {
        // Not reached without a token.
        let Some(once) = &run.0.once else { return function() };
        let key = Key::of(&run.0, once);
        let claimed = self.memory().claim(&key, once.token.words, run, resumes);
        match claimed {
            Claim::First { is_repeat } => once.begin(is_repeat),
            Claim::Known(answer) => return Ok(Answered::Now(answer.reply())),
            Claim::Runs { first, later } => {
                wait(run, &first);
                return Ok(Answered::Later(Coming(later)));
            }
            Claim::Refused(failure) => return Err(failure),
        }
        if let Err(failure) = self.begin(&key, once) {
            self.forget(&key, once, &Reply::Error(failure.clone()));
            return Err(failure);
        }
        // A panic is an answer as well.
        let answered = caught(function).unwrap_or_else(|| panicked(&run.0.name).into());
        match &answered {
            Ok(Answered::Now(reply)) => self.end(&key, once, reply),
            Err(failure) => self.forget(&key, once, &Reply::Error(failure.clone())),
            Ok(Answered::Later(Coming(given))) => {
                return Ok(Answered::Later(Coming(self.follow(key, run, given))));
            }
            // Not reached: streams are refused.
            Ok(Answered::Stream(_)) => self.end(&key, once, &Reply::Null),
        }
        answered
    }

    fn id(&self) -> &str {
        &self.id
    }
}

/// The caller of a repeat waits for the first run. If it is asked to stop, so is that.
fn wait(run: &Cancel, first: &Weak<crate::run::Run>) {
    let first = Weak::clone(first);
    run.0.signal.on_fire(Box::new(move |why| {
        if let Some(first) = first.upgrade() {
            first.signal.fire(why);
        }
    }));
}

impl Store {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn journal(&self) -> Option<MutexGuard<'_, Journal>> {
        self.journal.as_ref().map(|journal| journal.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes in the file that the command begins. An error if that fails: then the command does not run.
    fn begin(&self, key: &Key, once: &OnceCall) -> std::result::Result<(), Failure> {
        let Some(mut journal) = self.journal() else { return Ok(()) };
        journal.append(&Record::new(Kind::Began, key, once.token.words, &[])).map_err(|error| {
            let why = format_args!(
                "the file of the calls that run once: {error}; the command was not run"
            );
            Failure::new(code::BUSY, why)
        })
    }

    /// The command has answered.
    fn end(&self, key: &Key, once: &OnceCall, reply: &Reply) {
        let answer = Answer::of(reply);
        let waiting = match self.journal() {
            None => self.memory().end(key, answer),
            // Locked until the memory has the answer: a file that is written anew has it too.
            Some(mut journal) => {
                let record = Record::new(Kind::Ended, key, once.token.words, &answer.bytes);
                if let Err(error) = journal.append(&record) {
                    warn(format_args!(
                        "the answer to a call that runs once can't be kept: {error}"
                    ));
                }
                let waiting = self.memory().end(key, answer);
                if journal.is_due() {
                    let live = self.memory().records();
                    if let Err(error) = journal.rewrite(&live) {
                        warn(format_args!(
                            "the file of the calls that run once can't shrink: {error}"
                        ));
                    }
                }
                waiting
            }
        };
        tell(once, waiting, reply);
    }

    /// The command did not run: a repeat may run.
    fn forget(&self, key: &Key, once: &OnceCall, reply: &Reply) {
        let journal = self.journal().map(|mut journal| {
            // If it can't be written, a repeat after a restart is told that the command may have run.
            let _ = journal.append(&Record::new(Kind::NotRun, key, once.token.words, &[]));
            journal
        });
        let waiting = self.memory().remove(key);
        // Locked until then: the beginning of a repeat is written behind it.
        drop(journal);
        tell(once, waiting, reply);
    }

    /// The command answers later, whether or not its client is still there. Returns what the client waits for.
    fn follow(self: &Arc<Self>, key: Key, run: &Cancel, given: &Later) -> Later {
        let later = Later::new(WhenStopped::RunsOn);
        self.memory().wait(&key, &later);
        let told = given.clone();
        run.0.signal.on_fire(Box::new(move |why| {
            told.stop(why);
        }));
        let (store, run, given) = (Arc::downgrade(self), run.clone(), given.clone());
        let bell = Arc::new_cyclic(|this| {
            let this = Weak::clone(this);
            Follower { this, store, key, run, given }
        });
        bell.ring();
        later
    }
}

/// Gives the answer to those who wait for it.
fn tell(once: &OnceCall, waiting: Vec<Later>, reply: &Reply) {
    once.end();
    for later in waiting {
        later.complete(reply.clone());
    }
}

/// Takes the answer of a command that answers later.
struct Follower {
    this: Weak<Self>,
    store: Weak<Store>,
    key: Key,
    run: Cancel,
    given: Later,
}

impl Bell for Follower {
    fn ring(&self) {
        let (Some(this), Some(store), Some(once)) =
            (self.this.upgrade(), self.store.upgrade(), &self.run.0.once)
        else {
            return;
        };
        let this: Arc<dyn Bell> = this;
        match self.given.poll(&this) {
            None => return,
            // It waited for the author's loop, and was not begun.
            Some(Given::Reply(reply)) if self.given.is_queued() => {
                store.forget(&self.key, once, &reply);
            }
            Some(Given::Reply(reply)) => store.end(&self.key, once, &reply),
            Some(Given::Stream(_)) => store.end(&self.key, once, &Reply::Null),
        }
        // Whoever keeps its `Cancel`.
        self.run.0.signal.end();
    }
}

impl Key {
    fn of(run: &crate::run::Run, once: &OnceCall) -> Self {
        let (uid, has_rights) = (run.peer.uid(), once.has_rights);
        Self { uid, has_rights, token: Arc::clone(&once.token.text) }
    }

    /// Returns a hash of it that is the same in each build.
    fn hash(&self) -> u64 {
        let uid = self.uid.to_le_bytes();
        hash([&uid[..], &[self.has_rights.into()], self.token.as_bytes()].into_iter())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::run::Token;

    /// Otherwise the record that a call has not run could follow that of a repeat's beginning, and take it back.
    #[test]
    fn repeat_begins_after_the_record_of_the_earlier_call() {
        let directory = std::env::temp_dir().join(std::format!("dockipc-once-{}", new_id()));
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
        let mut memory = Memory::new(OnceLimits { answers: 8, bytes: 1024, time: Duration::MAX });
        let (journal, id) = Journal::open(directory.join("once"), None, &mut |_| ()).unwrap();
        let key = Key { uid: 7, has_rights: false, token: "a".into() };
        let (run, once) = (Cancel::new(), OnceCall::new(Token::read(b"a").unwrap(), false));
        assert!(matches!(memory.claim(&key, 0, &run, false), Claim::First { .. }));
        let store = Store { id, memory: Mutex::new(memory), journal: Some(Mutex::new(journal)) };
        store.begin(&key, &once).unwrap();
        thread::scope(|scope| {
            let journal = store.journal();
            let forgetting = scope.spawn(|| store.forget(&key, &once, &Reply::Null));
            for _ in 0..1000 {
                let claimed = store.memory().claim(&key, 0, &run, false);
                assert!(matches!(claimed, Claim::Runs { .. }));
                thread::yield_now();
            }
            drop(journal);
            forgetting.join().unwrap();
        });
        assert!(matches!(store.memory().claim(&key, 0, &run, false), Claim::First { .. }));
        fs::remove_dir_all(&directory).unwrap();
    }
}
