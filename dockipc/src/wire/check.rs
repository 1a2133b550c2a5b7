//! Properties that hold for any bytes, however they are split. The tests and the fuzzer call these
//! functions, which panic at a violation.

use super::answer::{self, DEEPEST, NotResp, Scan, Scanner};
pub(crate) use super::model::is_line;
use super::model::model;
use super::words::{Splitter, Unbalanced, quote};
use super::{Decoded, Decoder, Frame, Outgoing, Protocol, Reply, encode};
use crate::config::Limits;

/// Small limits, so that many short inputs exceed them.
pub(crate) const LIMITS: Limits = Limits { line: 64, command: 256 };

/// One result of a decoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Resp(Vec<Vec<u8>>),
    Line(String),
    /// The error code, whether the connection ends, and whether the client speaks RESP.
    Refused(String, bool, bool),
    /// The input ended inside a command.
    Incomplete,
}

/// Checks that the decoder finds what the model finds, in one piece, byte by byte, and in pieces of these
/// sizes. Returns it.
pub(crate) fn commands(bytes: &[u8], sizes: &[usize]) -> Vec<Event> {
    let model = model(LIMITS, bytes);
    for sizes in [&[usize::MAX], &[1], sizes] {
        assert_eq!(decode(LIMITS, bytes, sizes), model, "in pieces of {sizes:?}");
    }
    model
}

/// Decodes the bytes in pieces of these sizes, repeated, as a connection does.
pub(crate) fn decode(limits: Limits, bytes: &[u8], sizes: &[usize]) -> Vec<Event> {
    let mut decoder = Decoder::new(limits);
    let (mut events, mut words) = (Vec::new(), Vec::new());
    let mut start = 0;
    for end in ends(bytes.len(), sizes) {
        loop {
            let input = &bytes[start..end];
            let used = match decoder.next(input, &mut words) {
                Decoded::More { discard } => {
                    assert!(discard <= input.len());
                    start += discard;
                    break;
                }
                Decoded::Command { len, frame: Frame::Resp } => {
                    let words = words.iter().map(|span| span.of(input, &[]).to_vec());
                    events.push(Event::Resp(words.collect()));
                    len
                }
                Decoded::Skip { len } => len,
                Decoded::Command { len, frame: Frame::Line { len: text } } => {
                    let text = String::from_utf8(input[..text].to_vec());
                    assert!(text.is_ok(), "not UTF-8: {text:?}");
                    events.extend(text.map(Event::Line));
                    assert!((1..=input.len()).contains(&len));
                    if !decoder.is_resp() {
                        return events;
                    }
                    len
                }
                Decoded::Refuse { len, failure, last } => {
                    let code = failure.code().to_owned();
                    events.push(Event::Refused(code, last, decoder.is_resp()));
                    assert!((1..=input.len()).contains(&len));
                    if last {
                        return events;
                    }
                    len
                }
            };
            assert!((1..=input.len()).contains(&used), "no progress");
            start += used;
        }
        // The bytes kept for later are bounded, whatever the input. A header has at most 33 bytes.
        let most = limits.line.max(limits.command) + 33;
        assert!(end - start <= most, "{} bytes are kept", end - start);
    }
    if decoder.end(&bytes[start..]).is_some() {
        events.push(Event::Incomplete);
    }
    events
}

/// Returns the ends of the pieces if `length` bytes are split into pieces of these sizes, repeated.
pub(crate) fn ends(length: usize, sizes: &[usize]) -> impl Iterator<Item = usize> {
    let mut end = 0;
    sizes.iter().cycle().map_while(move |size| {
        let more = end < length;
        end = length.min(end.saturating_add((*size).max(1)));
        more.then_some(end)
    })
}

/// Checks that the scanner finds the same replies in one piece, byte by byte, and in pieces of these
/// sizes, and that each reply survives encoding and decoding. Returns the replies.
pub(crate) fn answers(bytes: &[u8], sizes: &[usize]) -> Vec<Reply> {
    first_reply(bytes);
    let whole = replies(bytes, &[usize::MAX]);
    for sizes in [&[1], sizes] {
        assert_eq!(replies(bytes, sizes), whole, "in pieces of {sizes:?}");
    }
    let mut start = 0;
    let mut read = Vec::new();
    for part in whole {
        let Part::Reply { len, .. } = part else { break };
        if let Ok(reply) = answer::read(&bytes[start..start + len]) {
            round_trip(&reply);
            read.push(reply);
        }
        start += len;
    }
    read
}

/// One result of a scanner.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Reply { len: usize, push: bool },
    NotResp,
}

/// Scans the bytes in pieces of these sizes, repeated, as a client does.
fn replies(bytes: &[u8], sizes: &[usize]) -> Vec<Part> {
    let mut parts = Vec::new();
    let (mut scanner, mut start, mut need) = (Scanner::new(), 0, 0);
    for end in ends(bytes.len(), sizes) {
        loop {
            match scanner.scan(&bytes[start..end]) {
                Ok(Scan::More { need: more }) => {
                    assert!(more > end - start, "{more} bytes of {} are needed", end - start);
                    assert!(more >= need, "fewer bytes are needed than before");
                    need = more;
                    break;
                }
                Ok(Scan::Whole { len, push }) => {
                    assert!((1..=end - start).contains(&len), "no progress");
                    assert!(len >= need, "{need} bytes were needed of a reply of {len}");
                    parts.push(Part::Reply { len, push });
                    start += len;
                    (scanner, need) = (Scanner::new(), 0);
                }
                Err(NotResp(_)) => {
                    parts.push(Part::NotResp);
                    return parts;
                }
            }
        }
    }
    parts
}

/// Checks that the scanner finds the same first reply in one piece and byte by byte, and that the reader
/// agrees.
pub(crate) fn first_reply(bytes: &[u8]) {
    let at_once = Scanner::new().scan(bytes);
    let by_byte = scanned(bytes);
    match (&at_once, &by_byte) {
        (Ok(Scan::More { .. }), Ok(Scan::More { .. })) | (Err(_), Err(_)) => {}
        _ => assert_eq!(at_once, by_byte),
    }
    let read = answer::read(bytes);
    if let Ok(Scan::Whole { len, .. }) = at_once {
        assert!((1..=bytes.len()).contains(&len));
        assert_eq!(answer::read(&bytes[..len]).is_ok(), read.is_ok());
    } else {
        assert!(read.is_err(), "{read:?} was read from {at_once:?}");
    }
    if let Some((bulk, len)) = answer::whole_bulk(bytes) {
        assert_eq!(at_once, Ok(Scan::Whole { len, push: false }));
        assert_eq!(read, Ok(Reply::bytes(bulk)));
    }
}

/// Scans the bytes one by one, up to the end of the first reply.
pub(crate) fn scanned(bytes: &[u8]) -> Result<Scan, NotResp> {
    let mut scanner = Scanner::new();
    for end in 0..bytes.len() {
        match scanner.scan(&bytes[..end])? {
            Scan::More { need } => assert!(need > end, "{need} bytes of {end} are needed"),
            whole @ Scan::Whole { .. } => return Ok(whole),
        }
    }
    scanner.scan(bytes)
}

/// Checks that a reply is encoded as exactly one reply, which decodes and encodes to the same bytes, unless it is
/// nested too deeply.
fn round_trip(reply: &Reply) {
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let bytes = encoded(reply, protocol);
        let scan = Scanner::new().scan(&bytes);
        assert_eq!(scan, Ok(Scan::Whole { len: bytes.len(), push: false }));
        match answer::read(&bytes) {
            Ok(again) => assert_eq!(encoded(&again, protocol), bytes, "{reply:?}"),
            Err(why) => {
                let is_deep = depth(reply, protocol) > DEEPEST;
                assert!(is_deep, "{reply:?} was written, and not read: {why:?}");
            }
        }
    }
}

/// Returns how deep the innermost value is within an encoded reply. It may be deeper than in the reply: in RESP3, a
/// map is a list of pairs if a key is not a scalar.
fn depth(reply: &Reply, protocol: Protocol) -> usize {
    let depth = |inner: &Reply| depth(inner, protocol);
    match reply {
        Reply::List(items) | Reply::Set(items) => items.iter().map(|item| 1 + depth(item)).max(),
        Reply::Map(pairs) => {
            let is_map =
                protocol != Protocol::Resp3 || pairs.iter().all(|(key, _)| encode::is_scalar(key));
            let own = if is_map { 1 } else { 2 };
            pairs.iter().map(|(key, value)| own + depth(key).max(depth(value))).max()
        }
        Reply::Formed(formed) => Some(depth(&formed.value)),
        _ => None,
    }
    .unwrap_or(0)
}

pub(crate) fn encoded(reply: &Reply, protocol: Protocol) -> Vec<u8> {
    let mut out = Outgoing::default();
    encode::reply(reply.clone(), protocol, &mut out);
    out.to_vec()
}

/// Checks that the words of a line are split again to the same words after quoting, and that the words of
/// UTF-8 are UTF-8.
pub(crate) fn line(bytes: &[u8]) {
    let Ok(words) = split(bytes) else { return };
    if std::str::from_utf8(bytes).is_err() {
        return;
    }
    let texts: Result<Vec<_>, _> = words.iter().map(|word| std::str::from_utf8(word)).collect();
    assert!(texts.is_ok(), "words that are not UTF-8, of a line that is");
    let quoted: Vec<_> = texts.unwrap_or_default().into_iter().map(quote).collect();
    assert_eq!(split(quoted.join(" ").as_bytes()), Ok(words));
}

/// Returns all words of a line.
pub(crate) fn split(line: &[u8]) -> Result<Vec<Vec<u8>>, Unbalanced> {
    let (mut splitter, mut text, mut words) = (Splitter::new(line), Vec::new(), Vec::new());
    while let Some(span) = splitter.next(&mut text)? {
        words.push(span.of(line, &text).to_vec());
        assert!(words.len() <= line.len(), "no progress");
        assert!(line.ends_with(splitter.peek()), "the rest is not the end of the line");
    }
    assert_eq!(splitter.rest(), None, "something is left of a line that was split");
    Ok(words)
}
