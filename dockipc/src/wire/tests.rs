//! The wire without sockets: what is found does not depend on how the bytes are cut, and no bytes
//! make it panic, loop or lose its place.

use proptest::collection::vec;
use proptest::prelude::*;

use super::answer::{self, Scan, Scanner};
use super::check::{self, Event, LIMITS, decode, encoded, scanned, split};
use super::words::{Splitter, quote};
use super::{Decoded, Decoder, Protocol, Reply, encode, float_text};
use crate::config::Limits;
use crate::error::{Failure, code};

mod generated;

fn refused(code: &str, last: bool, resp: bool) -> Event {
    Event::Refused(code.into(), last, resp)
}

fn resp(words: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut out = Vec::new();
    encode::length(b'*', words.len(), &mut out);
    for word in words {
        encode::bulk(word.as_ref(), &mut out);
    }
    out
}

/// What the sender of a command expects to be found.
fn expected(words: &[Vec<u8>]) -> Event {
    if resp(words).len() > LIMITS.command {
        refused(code::TOOBIG, false, true)
    } else {
        Event::Resp(words.to_vec())
    }
}

fn commands() -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
    let word = prop_oneof![
        4 => vec(any::<u8>(), 0..12),
        1 => vec(prop::sample::select(b"\r\n$*0123456789".to_vec()), 0..20),
        1 => vec(any::<u8>(), 0..400),
    ];
    let few = vec(word.clone(), 1..8);
    let many = vec(vec(any::<u8>(), 0..2), 1..60);
    vec(prop_oneof![4 => few, 1 => many], 0..8)
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![Just(vec![1]), vec(1..40_usize, 1..20), vec(1..600_usize, 1..5)]
}

/// Bytes put in, taken out and changed here and there.
fn mutated(bytes: Vec<u8>, changes: &[(usize, u8, u8)]) -> Vec<u8> {
    let mut bytes = bytes;
    for &(at, what, byte) in changes {
        if bytes.is_empty() {
            break;
        }
        let at = at % bytes.len();
        match what % 4 {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            2 => drop(bytes.remove(at)),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

fn changes() -> impl Strategy<Value = Vec<(usize, u8, u8)>> {
    let byte = prop_oneof![any::<u8>(), prop::sample::select(b"\r\n$*-0123456789{".to_vec())];
    vec((any::<usize>(), any::<u8>(), byte), 1..6)
}

proptest! {
    #[test]
    fn resp_commands_are_found_in_any_pieces(commands in commands(), sizes in sizes()) {
        let bytes: Vec<u8> = commands.iter().flat_map(|words| resp(words)).collect();
        let expected: Vec<_> = commands.iter().map(|words| expected(words)).collect();
        prop_assert_eq!(&decode(LIMITS, &bytes, &sizes), &expected);
        prop_assert_eq!(&decode(LIMITS, &bytes, &[usize::MAX]), &expected);
    }

    #[test]
    fn cut_off_command_is_not_found(commands in commands(), sizes in sizes(), cut in any::<prop::sample::Index>()) {
        let bytes: Vec<u8> = commands.iter().flat_map(|words| resp(words)).collect();
        let cut = cut.index(bytes.len() + 1);
        let mut whole = 0;
        let mut expected: Vec<_> = commands
            .iter()
            .take_while(|words| {
                let end = whole + resp(words).len();
                let fits = end <= cut;
                whole = if fits { end } else { whole };
                fits
            })
            .map(|words| expected(words))
            .collect();
        if whole < cut {
            expected.push(Event::Incomplete);
        }
        prop_assert_eq!(decode(LIMITS, &bytes[..cut], &sizes), expected);
    }

    #[test]
    fn mutated_resp_decodes_alike_in_any_pieces(
        commands in commands(),
        changes in changes(),
        sizes in sizes(),
    ) {
        let bytes = mutated(commands.iter().flat_map(|words| resp(words)).collect(), &changes);
        prop_assert_eq!(
            decode(LIMITS, &bytes, &sizes),
            decode(LIMITS, &bytes, &[usize::MAX])
        );
    }

    #[test]
    fn any_bytes_decode_alike_in_any_pieces(
        bytes in vec(any::<u8>(), 0..300),
        sizes in sizes(),
    ) {
        let whole = decode(LIMITS, &bytes, &[usize::MAX]);
        prop_assert_eq!(&decode(LIMITS, &bytes, &sizes), &whole);
        prop_assert_eq!(whole.is_empty(), bytes.is_empty());
    }

    #[test]
    fn line_is_found_in_any_pieces(
        text in "[^\n\r*{\u{0}-\u{1f}][^\n\r]{0,40}",
        end in "\r?\n",
        more in vec(any::<u8>(), 0..20),
        sizes in sizes(),
    ) {
        let bytes = [text.as_bytes(), end.as_bytes(), &more].concat();
        let expected = if text.len() + end.len() > LIMITS.line {
            refused(code::TOOBIG, true, false)
        } else {
            Event::Line(text)
        };
        prop_assert_eq!(decode(LIMITS, &bytes, &sizes), std::slice::from_ref(&expected));
        prop_assert_eq!(decode(LIMITS, &bytes, &[usize::MAX]), std::slice::from_ref(&expected));
    }
}

const REAL: Limits = Limits { line: 4096, command: 1 << 20 };

/// What is found in one piece; byte by byte it is the same.
#[track_caller]
fn found(bytes: &[u8]) -> Vec<Event> {
    let events = decode(REAL, bytes, &[usize::MAX]);
    assert_eq!(decode(REAL, bytes, &[1]), events);
    events
}

#[test]
fn empty_input_is_no_command() {
    assert_eq!(found(b""), []);
    let step = Decoder::new(REAL).next(b"", &mut Vec::new());
    assert!(matches!(step, Decoded::More { discard: 0 }));
}

#[test]
fn line_of_exactly_the_limit_is_accepted() {
    let line = "x".repeat(4095);
    assert_eq!(found(format!("{line}\n").as_bytes()), [Event::Line(line.clone())]);
    let too_long = [refused(code::TOOBIG, true, false)];
    assert_eq!(found(format!("{line}x\n").as_bytes()), too_long);
    assert_eq!(found(format!("{line}\r\n").as_bytes()), too_long);
    assert_eq!(found(format!("{line}x").as_bytes()), too_long);
    assert_eq!(found(line.as_bytes()), [Event::Incomplete]);
}

#[test]
fn carriage_return_before_newline_is_dropped() {
    assert_eq!(found(b"a\r\n"), [Event::Line("a".into())]);
    assert_eq!(found(b"\r\n"), [Event::Line(String::new())]);
    assert_eq!(found(b"\n"), [Event::Line(String::new())]);
    // Only that one: others are the author's.
    assert_eq!(found(b"a\r\r\n"), [Event::Line("a\r".into())]);
    assert_eq!(found(b"a\rb\n"), [Event::Line("a\rb".into())]);
}

#[test]
fn line_that_is_not_utf8_gets_utf8_with_the_byte() {
    assert_eq!(found(b"ab\xffc\n"), [refused(code::UTF8, true, false)]);
    let step = Decoder::new(REAL).next(b"ab\xffc\n", &mut Vec::new());
    let Decoded::Refuse { len: 5, failure, last: true } = step else { panic!("{step:?}") };
    assert_eq!(failure.message(), "the line is not UTF-8 at byte 2 (0xff)");
}

#[test]
fn brace_is_reserved() {
    assert_eq!(found(b"{"), [refused(code::PROTO, true, false)]);
    assert_eq!(found(b"{\"add\":2}\n"), [refused(code::PROTO, true, false)]);
}

#[test]
fn invalid_counts_and_lengths_are_refused() {
    let wrong = [refused(code::PROTO, true, true)];
    for bytes in [
        &b"*-1\r\n"[..],
        b"*-0\r\n",
        b"*+1\r\n",
        b"*\r\n",
        b"*1\n",
        b"* 1\r\n",
        b"*x\r\n",
        b"*1x\r\n",
        b"*1\rx",
        b"*1048577\r\n",
        b"*99999999999999999999999999\r\n",
        b"*00000000000000000000000000000000000001\r\n",
        b"*1\r\n:5\r\n",
        b"*1\r\nping\r\n",
        b"*1\r\n$-1\r\n",
        b"*1\r\n$\r\n",
        b"*1\r\n$x\r\n",
        b"*1\r\n$4x\r\n",
        b"*1\r\n$536870913\r\n",
        b"*1\r\n$18446744073709551615\r\n",
        b"*1\r\n$18446744073709551616\r\n",
        b"*1\r\n$99999999999999999999999999\r\n",
        b"*1\r\n*1\r\n$4\r\nPING\r\n",
        b"*1\r\n$4\r\nPINGxx",
        b"*1\r\n$4\r\nPING\n\n",
        b"*2\r\n$4\r\nPING\r\n\r\n",
        b"*1048576\r\n$536870913\r\n",
    ] {
        assert_eq!(found(bytes), wrong, "{}", bytes.escape_ascii());
    }
}

#[test]
fn line_after_a_resp_command_is_refused() {
    let bytes = [&resp(&["PING"])[..], b"ping\n"].concat();
    let expected = [Event::Resp(vec![b"PING".to_vec()]), refused(code::PROTO, true, true)];
    assert_eq!(found(&bytes), expected);
}

#[test]
fn empty_resp_command_is_skipped() {
    let bytes = [b"*0\r\n", &resp(&["PING"])[..]].concat();
    let expected = [refused(code::PROTO, false, true), Event::Resp(vec![b"PING".to_vec()])];
    assert_eq!(found(&bytes), expected);
}

#[test]
fn command_of_exactly_the_limit_is_accepted() {
    let frame = resp(&[vec![0; REAL.command]]).len() - REAL.command;
    let fitting = vec![7; REAL.command - frame];
    let over = [&fitting[..], b"7"].concat();
    let bytes = [resp(&[&fitting]), resp(&[over]), resp(&["PING"])].concat();
    let expected = [
        Event::Resp(vec![fitting]),
        refused(code::TOOBIG, false, true),
        Event::Resp(vec![b"PING".to_vec()]),
    ];
    for size in [usize::MAX, 1000, 4096, 1 << 20] {
        assert!(decode(REAL, &bytes, &[size]) == expected, "in pieces of {size}");
    }
}

#[test]
fn many_empty_words_exceed_the_limit_by_count() {
    let bytes = [resp(&vec![""; 1 << 20]), resp(&["PING"])].concat();
    let expected = [refused(code::TOOBIG, false, true), Event::Resp(vec![b"PING".to_vec()])];
    assert_eq!(decode(REAL, &bytes, &[usize::MAX]), expected);
    assert_eq!(decode(REAL, &bytes, &[8192]), expected);
}

#[test]
fn limit_is_exceeded_alike_in_any_pieces() {
    // After the first word, the 39 others can't fit; what they are doesn't matter any more.
    let bytes = [b"*40\r\n", &resp(&["x".repeat(50)])[4..], b"$1\r\nxyz"].concat();
    assert_eq!(decode(LIMITS, &bytes, &[usize::MAX]), [Event::Incomplete]);
    assert_eq!(decode(LIMITS, &bytes, &[1]), [Event::Incomplete]);
    assert_eq!(decode(LIMITS, &bytes, &[62, 3, 100]), [Event::Incomplete]);
}

#[test]
fn oversized_word_is_skipped_without_being_kept() {
    // 8 MiB that never are in memory together.
    let mut decoder = Decoder::new(REAL);
    let mut words = Vec::new();
    let head = b"*2\r\n$3\r\nput\r\n$8388608\r\n";
    let Decoded::More { discard } = decoder.next(head, &mut words) else { panic!("not over") };
    assert_eq!(discard, head.len());
    let piece = vec![b'x'; 64 * 1024];
    for _ in 0..128 {
        let Decoded::More { discard } = decoder.next(&piece, &mut words) else { panic!("found") };
        assert_eq!(discard, piece.len());
    }
    assert!(decoder.end(b"").is_some());
    let step = decoder.next(b"\r\n*1", &mut words);
    let Decoded::Refuse { len: 2, failure, last: false } = step else { panic!("{step:?}") };
    assert_eq!(failure.code(), code::TOOBIG);
    assert!(matches!(decoder.next(b"*1\r\n$4\r\nPING\r\n", &mut words), Decoded::Command { .. }));
}

#[test]
fn incomplete_input_gets_incomplete() {
    let end = |bytes: &[u8]| {
        let mut decoder = Decoder::new(REAL);
        let step = decoder.next(bytes, &mut Vec::new());
        assert!(matches!(step, Decoded::More { discard: 0 }), "{step:?}");
        let failure = decoder.end(bytes)?;
        assert_eq!(failure.code(), code::INCOMPLETE);
        Some(failure.message().to_owned())
    };
    assert_eq!(end(b""), None);
    assert_eq!(end(b"x").unwrap(), "the input ended before a newline; nothing was run");
    let resp = "the input ended before the command was whole; nothing was run";
    assert_eq!(end(b"*").unwrap(), resp);
    assert_eq!(end(b"*1\r\n").unwrap(), resp);
    assert_eq!(end(b"*1\r\n$4\r\nPING\r").unwrap(), resp);
}

fn texts(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

/// One of the ways to write a word on a line.
fn written(word: &str, style: u8) -> String {
    let escaped = |special: fn(char) -> bool| -> String {
        let escape = |c| if special(c) { format!("\\{c}") } else { c.to_string() };
        word.chars().map(escape).collect()
    };
    match style % 4 {
        0 => quote(word).into_owned(),
        1 => format!("\"{}\"", escaped(|c| "\"\\$`".contains(c))),
        2 if !word.is_empty() => escaped(|_| true),
        // Each half in another way.
        _ => {
            let mut middle = word.len() / 2;
            while !word.is_char_boundary(middle) {
                middle -= 1;
            }
            let (left, right) = word.split_at(middle);
            quote(left).into_owned() + &written(right, 1)
        }
    }
}

proptest! {
    #[test]
    fn quoted_words_split_to_the_same_words(
        words in vec(("[^\n]*", any::<u8>(), "[ \t]{1,3}"), 0..6),
        lead in "[ \t]{0,3}",
    ) {
        let mut line = lead;
        for (word, style, blanks) in &words {
            line.push_str(&written(word, *style));
            line.push_str(blanks);
        }
        let expected: Vec<_> = words.iter().map(|(word, ..)| word.as_bytes().to_vec()).collect();
        prop_assert_eq!(split(line.as_bytes()), Ok(expected.clone()));
        // Without the blanks at the end as well.
        prop_assert_eq!(split(quote_end(&line, words.last()).as_bytes()), Ok(expected));
    }

    #[test]
    fn quoted_word_is_one_word(word in "[^\n]*") {
        let quoted = quote(&word);
        prop_assert!(!quoted.is_empty() && !quoted.contains('\n'));
        prop_assert_eq!(split(quoted.as_bytes()), Ok(texts(&[&word])));
    }

    #[test]
    fn splitting_never_panics(line in prop_oneof![
        vec(any::<u8>(), 0..80),
        vec(prop::sample::select(b"'\"\\ \ta$`\xff".to_vec()), 0..30),
    ]) {
        let _ = split(&line);
    }

    #[test]
    fn words_of_utf8_are_utf8(line in "[^\n]{0,40}") {
        for word in split(line.as_bytes()).unwrap_or_default() {
            prop_assert!(String::from_utf8(word).is_ok());
        }
    }

    #[test]
    fn rest_of_a_line_is_unchanged(word in "[^\n]{1,9}", rest in "[^\n \t][^\n]{0,20}") {
        let line = format!(" {}\t {rest}", quote(&word));
        let mut splitter = Splitter::new(line.as_bytes());
        splitter.next(&mut Vec::new()).unwrap().expect("a word");
        prop_assert_eq!(splitter.peek(), rest.as_bytes());
        let span = splitter.rest().expect("a rest");
        prop_assert_eq!(span.of(line.as_bytes(), &[]), rest.as_bytes());
        prop_assert_eq!(splitter.rest(), None);
    }
}

/// The line without the blanks that were put after its last word.
fn quote_end<'l>(line: &'l str, last: Option<&(String, u8, String)>) -> &'l str {
    let blanks = last.map_or(0, |(.., blanks)| blanks.len());
    &line[..line.len() - blanks]
}

#[test]
fn line_is_split_as_a_shell_does() {
    for (line, words) in [
        ("", &[][..]),
        (" \t ", &[]),
        ("a b", &["a", "b"]),
        ("''", &[""]),
        ("\"\"''", &[""]),
        ("a''b", &["ab"]),
        ("'a b'c d", &["a bc", "d"]),
        (r#""a\"b\\c\$d\`e\f""#, &[r#"a"b\c$d`e\f"#]),
        (r"a\ b \'", &["a b", "'"]),
        (r"'a\'b", &[r"a\b"]),
        ("$HOME * ~ `x` #c;|&", &["$HOME", "*", "~", "`x`", "#c;|&"]),
        // Blanks are the space and the tab.
        ("a\rb\u{b}c\u{a0}d", &["a\rb\u{b}c\u{a0}d"]),
    ] {
        assert_eq!(split(line.as_bytes()), Ok(texts(words)), "{line:?}");
    }
}

#[test]
fn unclosed_quote_error_has_its_position() {
    for (line, why) in [
        ("a 'b", "the quote ' at byte 2 is not closed"),
        ("it's", "the quote ' at byte 2 is not closed"),
        ("\"a'b'", "the quote \" at byte 0 is not closed"),
        ("\"a\\", "the quote \" at byte 0 is not closed"),
        ("a \\", "the line ends in a backslash"),
    ] {
        assert_eq!(split(line.as_bytes()).unwrap_err().to_string(), why, "{line:?}");
    }
}

#[test]
fn form_feed_is_not_a_blank() {
    let mut splitter = Splitter::new(b"say \x0c--loud");
    splitter.next(&mut Vec::new()).unwrap().expect("a word");
    assert_eq!(splitter.peek(), b"\x0c--loud");
}

/// The reply as a client reads it: RESP3 keeps every type, RESP2 has fewer.
fn as_read(reply: &Reply, v3: bool) -> Reply {
    let all = |items: &[Reply]| items.iter().map(|item| as_read(item, v3)).collect();
    match reply {
        Reply::Ok => Reply::Ok,
        Reply::Null | Reply::Nulls(_) => Reply::Null,
        Reply::Status(word) => Reply::Status(word.clone()),
        Reply::Bool(value) if v3 => Reply::Bool(*value),
        Reply::Bool(value) => Reply::Int((*value).into()),
        Reply::Int(value) => Reply::Int(*value),
        Reply::Big(digits) => Reply::bytes(digits.as_str()),
        Reply::Float(value) if v3 => Reply::Float(*value),
        Reply::Float(value) => Reply::bytes(float_text(*value)),
        Reply::Bytes(bytes) => Reply::Bytes(bytes.clone()),
        Reply::Set(items) if v3 => Reply::Set(all(items)),
        Reply::List(items) | Reply::Set(items) => Reply::List(all(items)),
        Reply::Map(pairs) if v3 => {
            Reply::Map(pairs.iter().map(|(k, v)| (as_read(k, v3), as_read(v, v3))).collect())
        }
        Reply::Map(pairs) => {
            Reply::List(pairs.iter().flat_map(|(k, v)| [as_read(k, v3), as_read(v, v3)]).collect())
        }
        Reply::Error(failure) => Reply::Error(failure.clone()),
    }
}

fn replies() -> impl Strategy<Value = Reply> {
    let failure = ("[A-Z][A-Z0-9_]{0,9}", "[^\r\n]{0,20}")
        .prop_map(|(code, message)| Failure::from_parts(code.into(), message));
    let leaf = prop_oneof![
        Just(()).prop_map(|()| Reply::Ok),
        Just(()).prop_map(|()| Reply::Null),
        any::<bool>().prop_map(Reply::Bool),
        any::<i64>().prop_map(Reply::Int),
        any::<i128>().prop_map(|value| Reply::Big(value.to_string())),
        prop::num::f64::ANY
            .prop_filter("not a number is not equal to itself", |value| !value.is_nan())
            .prop_map(Reply::Float),
        vec(any::<u8>(), 0..40).prop_map(Reply::Bytes),
        "[^\r\n]{0,12}"
            .prop_filter("that is Reply::Ok", |word| word != "OK")
            .prop_map(|word| Reply::Status(word.into())),
        failure.prop_map(Reply::Error),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Reply::List),
            vec(inner.clone(), 0..6).prop_map(Reply::Set),
            vec((inner.clone(), inner), 0..4).prop_map(Reply::Map),
        ]
    })
}

proptest! {
    #[test]
    fn reply_decodes_to_what_was_encoded(reply in replies()) {
        for (protocol, v3) in [(Protocol::Resp3, true), (Protocol::Resp2, false)] {
            let bytes = encoded(&reply, protocol);
            prop_assert_eq!(answer::read(&bytes), Ok(as_read(&reply, v3)));
        }
    }

    #[test]
    fn end_of_a_reply_is_found_in_any_pieces(
        reply in replies(),
        sizes in sizes(),
        more in vec(any::<u8>(), 0..10),
    ) {
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let bytes = encoded(&reply, protocol);
            let whole = Ok(Scan::Whole { len: bytes.len(), push: false });
            prop_assert_eq!(&scanned(&bytes), &whole);
            let followed = [&bytes[..], &more].concat();
            prop_assert_eq!(&Scanner::new().scan(&followed), &whole);
            let mut scanner = Scanner::new();
            let mut end = 0;
            for size in sizes.iter().cycle() {
                end += size;
                if end >= bytes.len() {
                    break;
                }
                // What it says to be needed is never more than there is.
                match scanner.scan(&bytes[..end]) {
                    Ok(Scan::More { need }) => prop_assert!(need > end && need <= bytes.len()),
                    other => prop_assert!(false, "{:?}", other),
                }
            }
            prop_assert_eq!(&scanner.scan(&followed), &whole);
        }
    }

    #[test]
    fn mutated_reply_scans_alike_in_any_pieces(
        reply in replies(),
        changes in changes(),
    ) {
        check::first_reply(&mutated(encoded(&reply, Protocol::Resp3), &changes));
    }

    #[test]
    fn any_bytes_scan_alike_in_any_pieces(bytes in prop_oneof![
        vec(any::<u8>(), 0..60),
        vec(prop::sample::select(b"+-:$*_#,(=!~%>019\r\n\r\ntx".to_vec()), 0..60),
    ]) {
        check::first_reply(&bytes);
    }
}

#[test]
fn nan_decodes_as_nan() {
    let bytes = encoded(&Reply::Float(f64::NAN), Protocol::Resp3);
    assert_eq!(bytes, b",nan\r\n");
    assert!(matches!(answer::read(&bytes), Ok(Reply::Float(value)) if value.is_nan()));
}

#[test]
fn reply_text_can_not_imitate_the_next_reply() {
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        for reply in [
            Reply::Error(Failure::new("A B\r\n+OK", "x\r\n+OK\r\n")),
            Reply::Status("x\r\n+OK".into()),
            Reply::Big("1\r\n+OK".into()),
            Reply::bytes("x\r\n+OK\r\n"),
        ] {
            let bytes = encoded(&reply, protocol);
            let whole = Ok(Scan::Whole { len: bytes.len(), push: false });
            assert_eq!(Scanner::new().scan(&bytes), whole, "{}", bytes.escape_ascii());
            assert!(answer::read(&bytes).is_ok());
        }
    }
}

#[test]
fn push_is_not_an_answer() {
    let push = b">2\r\n$3\r\nfoo\r\n:1\r\n";
    assert_eq!(scanned(push), Ok(Scan::Whole { len: push.len(), push: true }));
}

#[test]
fn answer_nested_too_deep_is_refused() {
    let nested = |depth: usize| [b"*1\r\n".repeat(depth), b":1\r\n".to_vec()].concat();
    assert!(answer::read(&nested(64)).is_ok());
    assert!(answer::read(&nested(65)).is_err());
    // The scanner has no stack to overflow.
    let deep = nested(100_000);
    assert_eq!(Scanner::new().scan(&deep), Ok(Scan::Whole { len: deep.len(), push: false }));
}

#[test]
fn declared_count_takes_no_memory() {
    for bytes in
        [&b"*9223372036854775807\r\n"[..], b"%9223372036854775807\r\n", b"$9223372036854775807\r\n"]
    {
        assert!(matches!(Scanner::new().scan(bytes), Ok(Scan::More { .. })));
        assert!(answer::read(bytes).is_err());
    }
    for bytes in [&b"*-2\r\n"[..], b"$-2\r\n", b"*9223372036854775808\r\n", b":\r\n", b"#x\r\n"] {
        assert!(answer::read(bytes).is_err(), "{}", bytes.escape_ascii());
    }
}

#[test]
fn endless_line_is_refused() {
    let endless = [b"+", &vec![b'x'; (1 << 20) + 1][..]].concat();
    assert!(Scanner::new().scan(&endless).is_err());
}

/// The table of `Reply`, and what is nested.
#[test]
fn reply_has_its_form_in_each_protocol() {
    let list = || Reply::List(vec![Reply::Int(1), Reply::bytes("a b"), Reply::Null]);
    let map = || Reply::map([("k", Reply::Int(1)), ("l", list())]);
    for (reply, line, resp2, resp3) in [
        (Reply::Ok, "", "+OK\r\n", "+OK\r\n"),
        (Reply::Status("PONG".into()), "PONG", "+PONG\r\n", "+PONG\r\n"),
        (Reply::Null, "", "$-1\r\n", "_\r\n"),
        (Reply::Bool(true), "true", ":1\r\n", "#t\r\n"),
        (Reply::Bool(false), "false", ":0\r\n", "#f\r\n"),
        (
            Reply::Int(i64::MIN),
            "-9223372036854775808",
            ":-9223372036854775808\r\n",
            ":-9223372036854775808\r\n",
        ),
        (
            Reply::Big("18446744073709551615".into()),
            "18446744073709551615",
            "$20\r\n18446744073709551615\r\n",
            "$20\r\n18446744073709551615\r\n",
        ),
        (Reply::Float(0.1), "0.1", "$3\r\n0.1\r\n", ",0.1\r\n"),
        (Reply::Float(1.0), "1", "$1\r\n1\r\n", ",1\r\n"),
        (Reply::Float(f64::NEG_INFINITY), "-inf", "$4\r\n-inf\r\n", ",-inf\r\n"),
        (Reply::bytes("a\nb"), "a\nb", "$3\r\na\nb\r\n", "$3\r\na\nb\r\n"),
        (
            list(),
            "1\na b\n\n",
            "*3\r\n:1\r\n$3\r\na b\r\n$-1\r\n",
            "*3\r\n:1\r\n$3\r\na b\r\n_\r\n",
        ),
        (Reply::Set(vec![Reply::Int(1)]), "1\n", "*1\r\n:1\r\n", "~1\r\n:1\r\n"),
        (
            Reply::List(vec![
                Reply::bytes("a\n\tb\r\\"),
                Reply::List(vec![Reply::bytes(""), Reply::Nulls(2), Reply::Int(1)]),
                Reply::Error(Failure::new("NO", "a\tb\nc")),
            ]),
            "a\\n\\tb\\r\\\\\n\t\t\t1\n-NO a\\tb\\nc\n",
            "*3\r\n$6\r\na\n\tb\r\\\r\n*3\r\n$0\r\n\r\n$-1\r\n:1\r\n-NO a\tb c\r\n",
            "*3\r\n$6\r\na\n\tb\r\\\r\n*3\r\n$0\r\n\r\n_\r\n:1\r\n-NO a\tb c\r\n",
        ),
        (Reply::Nulls(2), "", "$-1\r\n", "_\r\n"),
        (Reply::bytes("a\t\\"), "a\t\\", "$3\r\na\t\\\r\n", "$3\r\na\t\\\r\n"),
        (
            map(),
            "k\t1\nl\t1\ta b\t\n",
            "*4\r\n$1\r\nk\r\n:1\r\n$1\r\nl\r\n*3\r\n:1\r\n$3\r\na b\r\n$-1\r\n",
            "%2\r\n$1\r\nk\r\n:1\r\n$1\r\nl\r\n*3\r\n:1\r\n$3\r\na b\r\n_\r\n",
        ),
        (
            Reply::Error(Failure::new("NOT-found", "no\nnote")),
            "-NOT_FOUND no note\n",
            "-NOT_FOUND no note\r\n",
            "-NOT_FOUND no note\r\n",
        ),
    ] {
        let written = [Protocol::Line, Protocol::Resp2, Protocol::Resp3]
            .map(|protocol| String::from_utf8(encoded(&reply, protocol)).unwrap());
        assert_eq!(written, [line, resp2, resp3], "{reply:?}");
    }
}
