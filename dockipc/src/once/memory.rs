//! [`Memory`], the answers that are remembered, and their bounds.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

use super::form::{Answer, Kind, Record};
use crate::config::OnceLimits;
use crate::error::{Failure, code};
use crate::later::{Later, WhenStopped};
use crate::run::{Cancel, Run};

/// Whose token it is. Another user's token is another one, and so is that of a caller without the same rights.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) uid: u32,
    pub(super) has_rights: bool,
    pub(super) token: Arc<str>,
}

/// The effect of a call with a token.
pub(super) enum Claim {
    /// The command runs. `is_repeat`: the daemon ended in an earlier run.
    First {
        is_repeat: bool,
    },
    /// It has run, with this answer.
    Known(Answer),
    /// It runs.
    Runs {
        first: Weak<Run>,
        later: Later,
    },
    Refused(Failure),
}

/// The answers that are remembered.
///
/// When there is no room, the user who has the most gives way: no user can make the server forget what others need.
pub(super) struct Memory {
    limits: OnceLimits,
    users: HashMap<u32, Shelf>,
}

/// The tokens of one user.
#[derive(Default)]
struct Shelf {
    tokens: HashMap<Key, Entry>,
    /// Those that do not run, the one that ended first in front.
    order: VecDeque<Key>,
    /// The bytes of answers and tokens in `order`.
    bytes: usize,
    /// Hashes of tokens whose answers were dropped, and their order.
    forgotten: HashSet<u64>,
    forgotten_order: VecDeque<u64>,
}

struct Entry {
    /// The hash of the call's words.
    words: u64,
    state: State,
}

enum State {
    Runs {
        first: Weak<Run>,
        waiting: Vec<Later>,
    },
    Ended {
        at: Instant,
        answer: Answer,
    },
    /// It began, and the daemon ended.
    Unknown {
        at: Instant,
    },
}

/// A limit: the amount on one shelf, the most on all shelves together, and the function that reduces it.
type Bound = (fn(&Shelf) -> usize, usize, fn(&mut Shelf));

/// The approximate memory of a token beside its text and its answer, in bytes.
const OVERHEAD: usize = 128;

/// Tokens without an answer are remembered for each answer that may be.
const FORGOTTEN: usize = 10;

impl Memory {
    pub(super) fn new(limits: OnceLimits) -> Self {
        Self { limits, users: HashMap::new() }
    }

    pub(super) fn claim(&mut self, key: &Key, words: u64, run: &Cancel, resumes: bool) -> Claim {
        self.expire(key.uid);
        let most = (self.limits.answers / 4).max(1);
        let shelf = self.users.entry(key.uid).or_default();
        let is_repeat = match shelf.tokens.get_mut(key) {
            None if shelf.forgotten.contains(&key.hash()) => {
                let why = "the command has run, and its answer is no longer remembered";
                return refused(code::FORGOTTEN, why);
            }
            None => {
                if shelf.tokens.len() - shelf.order.len() >= most {
                    let why = "too many calls with tokens run; the command was not run";
                    return refused(code::BUSY, why);
                }
                false
            }
            Some(entry) if entry.words != words => {
                return refused(code::USAGE, "the token belongs to a call with other words");
            }
            Some(Entry { state: State::Runs { first, waiting }, .. }) => {
                // Their clients have left.
                waiting.retain(|later| !later.is_closed());
                let later = Later::new(WhenStopped::RunsOn);
                waiting.push(later.clone());
                return Claim::Runs { first: Weak::clone(first), later };
            }
            Some(Entry { state: State::Ended { answer, .. }, .. }) => {
                return Claim::Known(answer.clone());
            }
            Some(Entry { state: State::Unknown { .. }, .. }) if !resumes => {
                let why = "the daemon ended while the command ran: it may have had its effect, and its answer is not known";
                return refused(code::FORGOTTEN, why);
            }
            Some(Entry { state: State::Unknown { .. }, .. }) => {
                shelf.take_out(key);
                true
            }
        };
        let state = State::Runs { first: Arc::downgrade(&run.0), waiting: Vec::new() };
        shelf.tokens.insert(key.clone(), Entry { words, state });
        Claim::First { is_repeat }
    }

    /// Adds one who waits for a run's answer.
    pub(super) fn wait(&mut self, key: &Key, later: &Later) {
        if let Some(Entry { state: State::Runs { waiting, .. }, .. }) = self.entry(key) {
            waiting.push(later.clone());
        }
    }

    /// A run has ended. Returns those who wait for its answer.
    pub(super) fn end(&mut self, key: &Key, answer: Answer) -> Vec<Later> {
        let Some(shelf) = self.users.get_mut(&key.uid) else { return Vec::new() };
        let Some(Entry { words, state: State::Runs { waiting, .. } }) = shelf.tokens.remove(key)
        else {
            return Vec::new();
        };
        let state = State::Ended { at: Instant::now(), answer };
        shelf.put(key.clone(), Entry { words, state }, self.limits.bytes);
        self.trim();
        waiting
    }

    /// A run has not begun. Returns those who wait for its answer.
    pub(super) fn remove(&mut self, key: &Key) -> Vec<Later> {
        let removed = self.users.get_mut(&key.uid).and_then(|shelf| shelf.tokens.remove(key));
        match removed {
            Some(Entry { state: State::Runs { waiting, .. }, .. }) => waiting,
            _ => Vec::new(),
        }
    }

    /// Drops what is beyond the bounds.
    pub(super) fn trim(&mut self) {
        let OnceLimits { answers, bytes, .. } = self.limits;
        let over = |users: &HashMap<u32, Shelf>, of: fn(&Shelf) -> usize, most: usize| {
            users.values().map(of).sum::<usize>() > most
        };
        let bounds: [Bound; 3] = [
            (|shelf| shelf.order.len(), answers, Shelf::forget_first),
            (|shelf| shelf.bytes, bytes, Shelf::forget_first),
            (
                |shelf| shelf.forgotten.len(),
                answers.saturating_mul(FORGOTTEN),
                Shelf::drop_forgotten,
            ),
        ];
        for (of, most, shrink) in bounds {
            while over(&self.users, of, most) {
                let largest = self.users.values_mut().max_by_key(|shelf| of(shelf));
                if let Some(largest) = largest {
                    shrink(largest);
                }
            }
        }
        self.users.retain(|_, shelf| !shelf.is_empty());
    }

    /// Drops the answers of a user that are too old.
    fn expire(&mut self, uid: u32) {
        let Some(shelf) = self.users.get_mut(&uid) else { return };
        while let Some(first) = shelf.order.front()
            && shelf.tokens.get(first).is_none_or(|entry| entry.age() >= self.limits.time)
        {
            shelf.forget_first();
        }
    }

    fn entry(&mut self, key: &Key) -> Option<&mut Entry> {
        self.users.get_mut(&key.uid)?.tokens.get_mut(key)
    }

    /// Takes in a record of the file.
    pub(super) fn restore(&mut self, record: &Record<'_>, now: Instant) {
        let shelf = self.users.entry(record.uid).or_default();
        if record.kind == Kind::Forgotten {
            shelf.forget(record.words);
            return;
        }
        let key = record.key();
        let age = SystemTime::now().duration_since(record.time).unwrap_or_default();
        // The clock of `Instant` may have begun after that.
        let at = now.checked_sub(age).or_else(|| now.checked_sub(self.limits.time)).unwrap_or(now);
        shelf.take_out(&key);
        let state = match record.kind {
            Kind::Began => State::Unknown { at },
            Kind::Ended => State::Ended { at, answer: Answer::of_record(record) },
            Kind::NotRun | Kind::Forgotten => return,
        };
        shelf.put(key, Entry { words: record.words, state }, self.limits.bytes);
    }

    /// Returns the records of all tokens.
    pub(super) fn records(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (&uid, shelf) in &self.users {
            for &hash in &shelf.forgotten_order {
                Record::forgotten(uid, hash).write(&mut out);
            }
            let runs = shelf.tokens.iter().filter(|(_, entry)| entry.is_running());
            let ended = shelf.order.iter().filter_map(|key| shelf.tokens.get_key_value(key));
            for (key, entry) in ended.chain(runs) {
                let kind = match entry.state {
                    State::Ended { .. } => Kind::Ended,
                    State::Runs { .. } | State::Unknown { .. } => Kind::Began,
                };
                let mut record = Record::new(kind, key, entry.words, entry.answer());
                record.time -= entry.age();
                record.write(&mut out);
            }
        }
        out
    }
}

impl Shelf {
    /// Adds a token that does not run. An answer that is too long alone is dropped at once: the others stay.
    fn put(&mut self, key: Key, entry: Entry, most_bytes: usize) {
        let size = size(&key, entry.answer());
        if size > most_bytes {
            return self.forget(key.hash());
        }
        self.bytes += size;
        self.order.push_back(key.clone());
        self.tokens.insert(key, entry);
    }

    /// Removes a token that does not run, if it is there.
    fn take_out(&mut self, key: &Key) {
        let Some(entry) = self.tokens.remove(key) else { return };
        self.bytes -= size(key, entry.answer());
        // A token of the file ends soon after it began.
        if let Some(at) = self.order.iter().rposition(|other| other == key) {
            self.order.remove(at);
        }
    }

    /// Drops the answer that is the oldest.
    fn forget_first(&mut self) {
        let Some(key) = self.order.pop_front() else { return };
        if let Some(entry) = self.tokens.remove(&key) {
            self.bytes -= size(&key, entry.answer());
        }
        self.forget(key.hash());
    }

    fn forget(&mut self, hash: u64) {
        if self.forgotten.insert(hash) {
            self.forgotten_order.push_back(hash);
        }
    }

    fn drop_forgotten(&mut self) {
        if let Some(hash) = self.forgotten_order.pop_front() {
            self.forgotten.remove(&hash);
        }
    }

    fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.forgotten.is_empty()
    }
}

impl Entry {
    fn age(&self) -> Duration {
        match &self.state {
            State::Runs { .. } => Duration::ZERO,
            State::Ended { at, .. } | State::Unknown { at } => at.elapsed(),
        }
    }

    fn answer(&self) -> &[u8] {
        match &self.state {
            State::Ended { answer, .. } => &answer.bytes,
            State::Runs { .. } | State::Unknown { .. } => &[],
        }
    }

    fn is_running(&self) -> bool {
        matches!(self.state, State::Runs { .. })
    }
}

/// Returns about how many bytes a token and its answer take.
fn size(key: &Key, answer: &[u8]) -> usize {
    OVERHEAD + key.token.len() + answer.len()
}

#[cold]
fn refused(code: &'static str, why: &str) -> Claim {
    Claim::Refused(Failure::new(code, why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Reply;

    fn key(uid: u32, token: usize) -> Key {
        Key { uid, has_rights: false, token: format!("t{token}").into() }
    }

    #[test]
    fn user_with_many_answers_displaces_no_other_user() {
        let (run, time) = (Cancel::new(), Duration::MAX);
        for (answers, bytes) in [(10, usize::MAX), (usize::MAX, 4 * OVERHEAD), (8, 4 * OVERHEAD)] {
            let mut memory = Memory::new(OnceLimits { answers, bytes, time });
            let mut runs = |uid, token| {
                let key = key(uid, token);
                let claimed = memory.claim(&key, 0, &run, false);
                if let Claim::First { .. } = claimed {
                    memory.end(&key, Answer::of(&Reply::Null));
                }
                claimed
            };
            runs(1, 0);
            for token in 0..1000 {
                assert!(matches!(runs(2, token), Claim::First { .. }));
            }
            assert!(matches!(runs(1, 0), Claim::Known(_)));
            assert!(matches!(runs(2, 999), Claim::Known(_)));
        }
    }
}
