//! Checks that an answer is bounded by a constant number of bytes for each byte of its question, plus the
//! description of all commands.

use std::mem::size_of;
use std::sync::OnceLock;

use super::{Turns, converse, request, shared};
use crate::access::SocketId;
use crate::dispatch::{Conversation, Service, Step};
use crate::param::Scratch;
use crate::peer::Peer;
use crate::reply::Reply;
use crate::server::Server;
use crate::wire::Protocol;
use crate::wire::check::encoded;

/// The cost of an answer: its bytes on the wire, and its memory before it is encoded.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    bytes: usize,
    memory: usize,
}

/// The most bytes of an answer for each byte of its question.
const BYTES: usize = 8;

/// The most bytes of memory for each byte of a question. The shortest word takes six bytes on the wire, and
/// each word can become a value in the answer.
const MEMORY: usize = 16;

impl Cost {
    fn of(reply: &Reply, protocol: Protocol) -> Self {
        Self { bytes: encoded(reply, protocol).len(), memory: memory(reply) }
    }
}

fn memory(reply: &Reply) -> usize {
    let inside = match reply {
        Reply::Bytes(bytes) => bytes.len(),
        Reply::Big(digits) => digits.len(),
        Reply::Status(word) => word.len(),
        Reply::Error(failure) => failure.message().len(),
        Reply::List(items) | Reply::Set(items) => items.iter().map(memory).sum(),
        Reply::Map(pairs) => pairs.iter().map(|(key, value)| memory(key) + memory(value)).sum(),
        Reply::Formed(formed) => memory(&formed.value),
        _ => 0,
    };
    size_of::<Reply>() + inside
}

/// Returns the cost of the longest answer to a short question: the description of all commands.
fn everything() -> Cost {
    static EVERYTHING: OnceLock<Cost> = OnceLock::new();
    *EVERYTHING.get_or_init(|| {
        let questions =
            [&["dockipc", "describe"][..], &["command", "docs"], &["command"], &["help"]];
        let mut most = Cost::default();
        for question in questions {
            let mut connection =
                Conversation::new(shared(), 1, Peer::unknown(), SocketId::FIRST, None);
            let (question, scratch) = (request(question), &mut Scratch::default());
            let step = connection.step(shared(), &question, scratch, &mut Turns::default());
            let Step::Answer { reply, .. } = step else { continue };
            let Cost { bytes, memory } = Cost::of(&reply, connection.protocol());
            // Doubled for hidden commands and protocol commands, which are described only by name.
            most.bytes = most.bytes.max(2 * bytes + 1024);
            most.memory = most.memory.max(2 * memory + 1024);
        }
        most
    })
}

/// Panics if an answer is too long for a question of `question` bytes.
pub(super) fn check(question: usize, reply: &Reply, protocol: Protocol) {
    let cost = Cost::of(reply, protocol);
    let (bytes, memory) = (question * BYTES, question * MEMORY);
    if cost.bytes > bytes + 1024 || cost.memory > memory + 1024 {
        let all = everything();
        let most = Cost { bytes: bytes + all.bytes, memory: memory + all.memory };
        let fits = cost.bytes <= most.bytes && cost.memory <= most.memory;
        assert!(fits, "{cost:?} for a question of {question} bytes: more than {most:?}");
    }
}

/// Words with a meaning for a built-in command, and words without.
const WORDS: [&str; 60] = [
    "dockipc",
    "command",
    "client",
    "config",
    "hello",
    "help",
    "info",
    "ping",
    "echo",
    "auth",
    "select",
    "reset",
    "quit",
    "describe",
    "complete",
    "idempotent",
    "line",
    "docs",
    "count",
    "list",
    "getkeys",
    "get",
    "set",
    "setname",
    "setinfo",
    "getname",
    "id",
    "lib-name",
    "save",
    "appendonly",
    "2",
    "3",
    "0",
    "num",
    "kinds",
    "k",
    "net",
    "opt",
    "say",
    "map",
    "upper",
    "number",
    "gated",
    "gate",
    "--loud",
    "--times",
    "--tag",
    "--tag=x",
    "--",
    "color",
    "red",
    "dark-blue",
    "",
    "x",
    "\u{1}\u{2}\u{3}",
    "a\nb",
    "*",
    "1",
    "no",
    "mapp",
];

/// Sends a question to a server with the default limits and checks the size of the answer. The first byte
/// is the number of words that are sent once, the second how often the others are repeated, and each other
/// byte is a word of [`WORDS`].
pub fn sizes(data: &[u8]) {
    let [kept, times, words @ ..] = data else { return };
    let word = |byte: &u8| match WORDS.get(usize::from(*byte)) {
        Some(word) => (*word).to_owned(),
        // A long word.
        None => "x\u{1}\\".repeat(1 << (byte % 16)),
    };
    let words: Vec<_> = words.iter().take(40).map(word).collect();
    let (kept, times) = (usize::from(kept % 4).min(words.len()), 1 << (times % 14));
    let (first, again) = words.split_at(kept);
    let length: usize = again.iter().map(|word| word.len() + 10).sum();
    let times = times.min((1 << 19) / length.max(1)).max(1);
    let again = again.iter().cycle().take(again.len() * times);
    let question = request(&first.iter().chain(again).collect::<Vec<_>>());
    for version in ["2", "3"] {
        let question = [request(&["hello", version]), question.clone()].concat();
        let connection =
            Conversation::new(default_server(), 1, Peer::unknown(), SocketId::FIRST, None);
        converse(
            default_server(),
            connection,
            &question,
            &[usize::MAX],
            Turns::default(),
            |_, _| {},
        );
    }
}

/// Returns a server with the default limits.
#[expect(clippy::expect_used, reason = "a server that can't start is a mistake in here")]
fn default_server() -> &'static Service {
    static DEFAULT: OnceLock<std::sync::Arc<Service>> = OnceLock::new();
    DEFAULT.get_or_init(|| super::with_handlers(Server::new()).service().expect("a server"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::dice::{Dice, many};

    #[test]
    fn generated_question_has_no_long_answer() {
        let (seed, inputs) = many(2_000, one, |a, b| a + b);
        println!(
            "figure: generated questions to the built-in commands | {inputs} inputs (seed {seed}), \
             0 answers over {BYTES} bytes for each byte of the question and the description of all commands"
        );
    }

    fn one(seed: u64) -> u64 {
        let mut dice = Dice(seed);
        let all: Vec<u8> = (0..=u8::MAX).take(WORDS.len()).collect();
        let (builtin, more) = all.split_at(13);
        // The first word is a built-in command, and the second often one that it knows.
        let mut data = vec![dice.byte(), dice.byte(), dice.one(builtin), dice.one(&more[..20])];
        data.extend(dice.list(6, |dice| match dice.below(8) {
            0 => dice.byte(),
            _ => dice.one(&all),
        }));
        sizes(&data);
        1
    }
}
