//! A great many inputs from a seed: all that a stranger may send, well formed, nearly well formed
//! and noise.

use super::{as_read, expected, resp};
use crate::error::Failure;
use crate::fuzzing::dice::{Dice, many};
use crate::reply::Reply;
use crate::wire::Protocol;
use crate::wire::check::{self, Event, LIMITS, encoded};
use crate::wire::words::quote;

/// Every input goes to both parsers and to the splitter of lines, cut in three ways.
#[test]
fn generated_input_decodes_alike_in_any_pieces() {
    let (seed, counts) = many(20_000, one, Counts::plus);
    let Counts { inputs, bytes, commands, refusals, replies } = counts;
    assert!(commands > inputs / 10 && refusals > inputs / 10 && replies > inputs / 10);
    println!(
        "figure: generated inputs, 3 splits each, both parsers | {inputs} inputs (seed {seed}), \
         {bytes} bytes, {commands} commands, {refusals} refusals, {replies} replies, 0 panics, 0 hangs"
    );
}

/// What was found, so that it can be seen that the inputs reach something.
#[derive(Default)]
struct Counts {
    inputs: u64,
    bytes: u64,
    commands: u64,
    refusals: u64,
    replies: u64,
}

impl Counts {
    fn plus(self, other: Self) -> Self {
        Self {
            inputs: self.inputs + other.inputs,
            bytes: self.bytes + other.bytes,
            commands: self.commands + other.commands,
            refusals: self.refusals + other.refusals,
            replies: self.replies + other.replies,
        }
    }
}

/// Makes the input of a seed and looks at it.
fn one(seed: u64) -> Counts {
    let mut dice = Dice(seed);
    let Input { bytes, commands, replies } = Input::new(&mut dice);
    let sizes = dice.sizes();
    let events = check::commands(&bytes, &sizes);
    if let Some(commands) = commands {
        assert_eq!(events, commands);
    }
    let read = check::answers(&bytes, &sizes);
    if let Some(replies) = replies {
        assert_eq!(read, replies);
    }
    check::line(&bytes);
    let count =
        |matching: fn(&Event) -> bool| events.iter().filter(|event| matching(event)).count() as u64;
    Counts {
        inputs: 1,
        bytes: bytes.len() as u64,
        commands: count(|event| matches!(event, Event::Resp(_) | Event::Line(_))),
        refusals: count(|event| matches!(event, Event::Refused(..))),
        replies: read.len() as u64,
    }
}

/// Bytes, and what is known to be in them.
#[derive(Default)]
struct Input {
    bytes: Vec<u8>,
    commands: Option<Vec<Event>>,
    replies: Option<Vec<Reply>>,
}

impl Input {
    fn new(dice: &mut Dice) -> Self {
        let mut input = match dice.below(12) {
            0 => Self { bytes: dice.noise(200), ..Self::default() },
            1 => Self { bytes: pieces(dice), ..Self::default() },
            2..=4 => Self::commands(dice),
            5 => Self::line(dice),
            6 => Self { bytes: numbers(dice), ..Self::default() },
            7 => Self { bytes: nested(dice), ..Self::default() },
            _ => Self::replies(dice),
        };
        if dice.below(2) == 0 {
            // Nothing is known of it any more.
            input = Self { bytes: dice.changed(input.bytes), ..Self::default() };
        }
        input
    }

    /// Some RESP commands, a few of which are too big, and bytes between them that are skipped.
    fn commands(dice: &mut Dice) -> Self {
        let commands = dice.list(6, |dice| {
            let mut words = dice.list(5, Dice::word);
            words.push(dice.word());
            words
        });
        let events = commands.iter().map(|words| expected(words)).collect();
        let mut bytes = Vec::new();
        for words in commands {
            bytes.extend_from_slice(SKIPPED[dice.below(SKIPPED.len())]);
            bytes.extend(resp(&words));
        }
        Self { bytes, commands: Some(events), ..Self::default() }
    }

    /// A line of quoted words.
    fn line(dice: &mut Dice) -> Self {
        let words = dice.list(5, |dice| quote(&dice.text()).into_owned());
        // The first byte chooses the mode.
        let text = format!(" {}", words.join(" "));
        let bytes = format!("{text}\n").into_bytes();
        let fits = bytes.len() <= LIMITS.line;
        Self { bytes, commands: fits.then(|| vec![Event::Line(text)]), ..Self::default() }
    }

    /// Some replies in the form of one protocol, with pushes between them.
    fn replies(dice: &mut Dice) -> Self {
        let v3 = dice.below(2) == 0;
        let protocol = if v3 { Protocol::Resp3 } else { Protocol::Resp2 };
        let (mut bytes, mut replies) = (Vec::new(), Vec::new());
        for _ in 0..dice.below(4) {
            let reply = dice.reply(4);
            let mut written = encoded(&reply, protocol);
            if v3 && let (Reply::List(_), 0) = (&reply, dice.below(2)) {
                written[0] = b'>';
            }
            bytes.extend(written);
            replies.push(as_read(&reply, v3));
        }
        Self { bytes, replies: Some(replies), ..Self::default() }
    }
}

/// Bytes in front of a command that are skipped, also at the beginning.
const SKIPPED: &[&[u8]] = &[b"", b"", b"", b"\r\n", b"*0\r\n", b"*-1\r\n", b"\r\n*0\r\n\n \r\n"];

/// Pieces of both directions of the protocol, in any order.
fn pieces(dice: &mut Dice) -> Vec<u8> {
    const PIECES: &[&[u8]] = &[
        b"*1\r\n",
        b"*2\r\n",
        b"*0\r\n",
        b"*-1\r\n",
        b"hello",
        b"HELLO 3\r\n",
        b"*3\r",
        b"*",
        b"$4\r\nPING\r\n",
        b"$0\r\n\r\n",
        b"$3\r\nfoo\r\n",
        b"$-1\r\n",
        b"$300\r\n",
        b"$",
        b"\r\n",
        b"\r",
        b"\n",
        b"\n\n",
        b"{",
        b"ping\n",
        b"'",
        b"\"",
        b"\\",
        b" ",
        b"\t",
        b"\0",
        b"\xff",
        b"\xc3",
        b"+OK\r\n",
        b"-ERR no\r\n",
        b":1\r\n",
        b":-0\r\n",
        b"_\r\n",
        b"#t\r\n",
        b"#x\r\n",
        b",1.5\r\n",
        b",nan\r\n",
        b",inf\r\n",
        b"(123\r\n",
        b"=7\r\ntxt:abc\r\n",
        b"=2\r\nab\r\n",
        b"!5\r\nE a\nb\r\n",
        b"~1\r\n",
        b"%1\r\n",
        b">2\r\n",
        b"|1\r\n",
        b"$?\r\n",
        b"*?\r\n",
        b";0\r\n",
        b".\r\n",
        b"*1048576\r\n",
        b"*1048577\r\n",
        b"$536870912\r\n",
        b"$536870913\r\n",
        b"99999999999999999999",
    ];
    let parts = dice.list(14, |dice| PIECES[dice.below(PIECES.len())]);
    parts.concat()
}

/// Headers with numbers that are hard to read, and a little behind them.
fn numbers(dice: &mut Dice) -> Vec<u8> {
    let number = match dice.below(8) {
        0 => format!("-{}", dice.below(3)),
        1 => format!("+{}", dice.below(30)),
        2 => format!("{}{}", "0".repeat(dice.below(40)), dice.below(30)),
        3 => (dice.next() >> dice.below(64)).to_string(),
        4 => (u128::from(dice.next()) << dice.below(60)).to_string(),
        5 => (i128::from(i64::MAX) - 2 + dice.below(5) as i128).to_string(),
        6 => format!("{}{}", dice.below(300), [" ", "x", "\r", ".0", "e1", "\0"][dice.below(6)]),
        _ => dice.below(300).to_string(),
    };
    let mut bytes = if dice.below(2) == 0 { b"*2\r\n".to_vec() } else { Vec::new() };
    bytes.push(b"*$%~>=!:(,"[dice.below(10)]);
    bytes.extend_from_slice(number.as_bytes());
    bytes.extend_from_slice([&b"\r\n"[..], b"\n", b"\r", b"\r\r\n", b""][dice.below(5)]);
    bytes.extend(dice.noise(40));
    bytes
}

/// Lists in lists, around as deep as they may be.
fn nested(dice: &mut Dice) -> Vec<u8> {
    let depth = 55 + dice.below(20);
    let mut bytes: Vec<u8> = (0..depth)
        .flat_map(|_| [&b"*1\r\n"[..], b"~1\r\n", b">1\r\n", b"%1\r\n:1\r\n"][dice.below(4)])
        .copied()
        .collect();
    bytes.extend_from_slice(b":1\r\n");
    bytes
}

impl Dice {
    /// Mostly short; now and then longer than a command may be.
    fn word(&mut self) -> Vec<u8> {
        let most = if self.below(20) == 0 { 400 } else { 12 };
        self.noise(most)
    }

    /// Text without line ends.
    fn text(&mut self) -> String {
        let text = String::from_utf8_lossy(&self.noise(10)).into_owned();
        text.replace(['\r', '\n'], "é")
    }

    fn reply(&mut self, depth: usize) -> Reply {
        let nests = if depth > 0 { 4 } else { 0 };
        match self.below(10 + nests) {
            0 => Reply::Ok,
            1 => Reply::Null,
            2 => Reply::Bool(self.below(2) == 0),
            3 => Reply::Int((self.next() >> self.below(64)).cast_signed()),
            4 => Reply::Big((i128::from(self.next().cast_signed()) << self.below(60)).to_string()),
            5 => {
                // Not a number is not equal to itself.
                let value = f64::from_bits(self.next());
                Reply::Float(if value.is_nan() { f64::INFINITY } else { value })
            }
            6 => Reply::Status(format!("{}x", self.text()).into()),
            7 => Reply::Error(Failure::from_parts(
                ["ERR", "USAGE", "NO_SUCH_1"][self.below(3)].into(),
                self.text(),
            )),
            8 | 9 => Reply::Bytes(self.word()),
            10 => Reply::Set(self.list(4, |dice| dice.reply(depth - 1))),
            11 => Reply::Map(self.list(3, |dice| (dice.reply(depth - 1), dice.reply(depth - 1)))),
            _ => Reply::List(self.list(4, |dice| dice.reply(depth - 1))),
        }
    }

    /// The sizes of pieces.
    fn sizes(&mut self) -> Vec<usize> {
        let most = [2, 8, 40, 300][self.below(4)];
        (0..=self.below(8)).map(|_| 1 + self.below(most)).collect()
    }
}
