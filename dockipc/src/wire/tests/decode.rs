//! The decoder of a client's commands.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{changes, expected, mutated, refused, resp, sizes};
use crate::config::Limits;
use crate::error::code;
use crate::wire::check::{self, Event, LIMITS, decode};
use crate::wire::model::model;
use crate::wire::{Decoded, Decoder};

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

/// Bytes between commands that are skipped.
fn skipped() -> impl Strategy<Value = &'static [u8]> {
    prop::sample::select(vec![
        &b"\r\n"[..],
        b"\n",
        b" ",
        b"\t\r\n",
        b"*0\r\n",
        b"*-1\r\n",
        b"*-20\r\n",
    ])
}

fn part() -> impl Strategy<Value = &'static [u8]> {
    prop::sample::select(vec![
        &b"\r"[..],
        b"*",
        b"*-",
        b"*-0\r\n",
        b"hel",
        b"HELLO",
        b"hello 3\r\n",
        b"Hello\n",
        b"hello \xff\n",
        b"ping\r\n",
        b"*1\r\n$4\r\nPING\r\n",
    ])
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
        prop_assert_eq!(whole.is_empty(), bytes.chunks(2).all(|pair| pair == b"\r\n"));
    }

    #[test]
    fn skipped_bytes_change_no_command(
        commands in vec((vec(skipped(), 0..4), vec(vec(any::<u8>(), 0..5), 1..4)), 0..6),
        sizes in sizes(),
    ) {
        let mut bytes = b"\r\n*0\r\n".to_vec();
        let mut expected = Vec::new();
        for (skipped, words) in commands {
            bytes.extend(skipped.concat());
            bytes.extend(resp(&words));
            expected.push(Event::Resp(words));
        }
        prop_assert_eq!(&decode(LIMITS, &bytes, &sizes), &expected);
        prop_assert_eq!(&check::commands(&bytes, &[usize::MAX]), &expected);
    }

    #[test]
    fn inputs_around_skipped_bytes_match_the_model(
        parts in vec(prop_oneof![skipped(), part()], 0..12),
        sizes in sizes(),
    ) {
        check::commands(&parts.concat(), &sizes);
    }

    #[test]
    fn line_is_found_in_any_pieces(
        text in "[^\n\r*{hH\u{0}-\u{1f}][^\n\r]{0,40}",
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

/// The commands found when all bytes come in one piece; byte by byte they are the same.
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
    assert_eq!(found(b" \r\n"), [Event::Line(" ".into())]);
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
        &b"*-0\r\n"[..],
        b"*-\r\n",
        b"*-1x\r\n",
        b"*--1\r\n",
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
fn headers_of_any_length_match_the_model() {
    let ping = resp(&["PING"]);
    for count in ["0", "00", "1", "01", "001", "9", "10", "99", "099", "100"] {
        let words: usize = count.parse().unwrap();
        for length in ["0", "00", "000", "9", "09", "007", "10", "99", "099", "100"] {
            let word = [b'$'; 100][..length.parse().unwrap()].escape_ascii();
            let words = format!("${length}\r\n{word}\r\n").repeat(words);
            let bytes = [format!("*{count}\r\n{words}").as_bytes(), &ping].concat();
            let len = bytes.len() - ping.len();
            for command in [len.saturating_sub(1), len, len + 1] {
                let limits = Limits { command: command.max(ping.len()), ..REAL };
                let expected = model(limits, &bytes);
                let cuts = (1..bytes.len()).step_by(1 + len / 64).map(|cut| [cut, usize::MAX]);
                for sizes in cuts.chain([[usize::MAX; 2], [1; 2], [7; 2]]) {
                    let found = decode(limits, &bytes, &sizes);
                    assert_eq!(found, expected, "*{count} ${length} in pieces of {sizes:?}");
                }
            }
        }
    }
}

#[test]
fn line_after_a_resp_command_is_refused() {
    let bytes = [&resp(&["PING"])[..], b"ping\n"].concat();
    let expected = [Event::Resp(vec![b"PING".to_vec()]), refused(code::PROTO, true, true)];
    assert_eq!(found(&bytes), expected);
}

#[test]
fn input_without_a_command_is_skipped() {
    let ping = || Event::Resp(vec![b"PING".to_vec()]);
    for skipped in [&b"\r\n"[..], b"*0\r\n", b"*-1\r\n", b"*-1\r\n\r\n*0\r\n", b"\r\n*0\r\n\n \t"] {
        let shown = skipped.escape_ascii();
        assert_eq!(found(skipped), [], "{shown}");
        assert_eq!(found(&[skipped, &resp(&["PING"])].concat()), [ping()], "{shown} comes first");
    }
    let between =
        [&resp(&["PING"])[..], b"\n  \r\n\t\n*0\r\n\r\n*-1\r\n", &resp(&["PING"])].concat();
    assert_eq!(found(&between), [ping(), ping()]);
    // A line may follow as well. `\n` alone is an empty one.
    assert_eq!(found(b"\r\n\r\nping\n"), [Event::Line("ping".into())]);
    assert_eq!(found(b"\r\n\n"), [Event::Line(String::new())]);
    assert_eq!(found(b"\r"), [Event::Incomplete]);
    assert_eq!(found(b"\rx\n"), [Event::Line("\rx".into())]);
}

#[test]
fn endless_blanks_leave_nothing_behind() {
    let mut decoder = Decoder::new(REAL);
    for blanks in [&b"\r\n"[..], b"*0\r\n", b"\r\n \n\t"] {
        for _ in 0..10_000 {
            let mut left = blanks;
            while !left.is_empty() {
                let step = decoder.next(left, &mut Vec::new());
                let Decoded::Skip { len } = step else { panic!("{step:?}") };
                left = &left[len..];
            }
            assert!(!decoder.is_inside(b""));
        }
    }
}

#[test]
fn hello_line_begins_resp() {
    let ping = Event::Resp(vec![b"PING".to_vec()]);
    for hello in ["HELLO 3", "hello 3", "Hello\t2 SETNAME me", "hello"] {
        for end in ["\r\n", "\n"] {
            let bytes = [hello.as_bytes(), end.as_bytes(), &resp(&["PING"])].concat();
            // Twice: the second one comes after a command.
            let twice = [&bytes[..], &bytes].concat();
            let line = Event::Line(hello.into());
            assert_eq!(found(&twice), [line.clone(), ping.clone(), line, ping.clone()]);
        }
    }
    // Other lines stay lines, and the first one is the only one.
    for line in ["hell 3", "hello-world", "hellos", "ping"] {
        assert_eq!(found(format!("{line}\nping\n").as_bytes()), [Event::Line(line.into())]);
    }
    let [hello, wrong] = [Event::Line("hello".into()), refused(code::PROTO, true, true)];
    assert_eq!(found(b"hello\nping\n"), [hello, wrong]);
    let not_utf8 = refused(code::UTF8, false, true);
    assert_eq!(found(&[b"hello \xff\n", &resp(&["PING"])[..]].concat()), [not_utf8, ping]);
    let long = [b"hello ", &[b'x'; 4096][..]].concat();
    assert_eq!(found(&long), [refused(code::TOOBIG, true, true)]);
    assert_eq!(found(b"hello"), [Event::Incomplete]);
    assert_eq!(found(b"hello 3"), [Event::Incomplete]);
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
    assert_eq!(end(b"hell").unwrap(), "the input ended before a newline; nothing was run");
    assert_eq!(end(b"hello 3").unwrap(), resp);
    assert_eq!(end(b"*").unwrap(), resp);
    assert_eq!(end(b"*1\r\n").unwrap(), resp);
    assert_eq!(end(b"*1\r\n$4\r\nPING\r").unwrap(), resp);
}
