//! Encoding replies, and decoding them as a client does.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{as_read, changes, mutated, sizes};
use crate::error::Failure;
use crate::wire::answer::{self, Next, NotResp, Pieces, Scan, Scanner};
use crate::wire::check::{self, encoded, scanned};
use crate::wire::rows::Rows;
use crate::wire::{Protocol, Reply};

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

/// Reads an answer in pieces while it arrives in parts of these sizes. Returns its bytes in line mode
/// and its length; `None` if it is not whole.
fn in_pieces(bytes: &[u8], sizes: &[usize]) -> Result<Option<(Vec<u8>, usize)>, NotResp> {
    let (mut pieces, mut rows, mut out, mut start) =
        (Pieces::default(), Rows::default(), Vec::new(), 0);
    for end in std::iter::once(0).chain(check::ends(bytes.len(), sizes)) {
        loop {
            let mut rest = &bytes[start..end];
            let next = pieces.next(&mut rest)?;
            start = end - rest.len();
            match next {
                Next::Piece(piece) => rows.add(piece, &mut out),
                Next::Whole => return Ok(Some((out, start))),
                Next::More(need) => {
                    assert!(need > rest.len(), "{need} bytes of {} are needed", rest.len());
                    break;
                }
            }
        }
    }
    Ok(None)
}

proptest! {
    #[test]
    fn pieces_of_an_answer_are_its_rows(reply in replies(), sizes in sizes()) {
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let bytes = encoded(&reply, protocol);
            let read = answer::read(&bytes).unwrap();
            let whole = Ok(Some((read.into_line(), bytes.len())));
            prop_assert_eq!(in_pieces(&bytes, &sizes), whole);
        }
    }

    #[test]
    fn pieces_of_a_damaged_answer_are_those_of_the_whole(
        reply in replies(),
        changes in changes(),
        sizes in sizes(),
    ) {
        let bytes = mutated(encoded(&reply, Protocol::Resp3), &changes);
        let read = answer::read(&bytes);
        match in_pieces(&bytes, &sizes) {
            Ok(Some((rows, len))) => {
                prop_assert_eq!(answer::read(&bytes[..len]).map(Reply::into_line), Ok(rows));
            }
            Ok(None) | Err(_) => prop_assert!(read.is_err(), "{:?}", read),
        }
    }

    #[test]
    fn reply_decodes_to_what_was_encoded(reply in replies()) {
        for (protocol, v3) in [(Protocol::Resp3, true), (Protocol::Resp2, false)] {
            let bytes = encoded(&reply, protocol);
            prop_assert_eq!(answer::read(&bytes), Ok(as_read(&reply, v3)));
            if let Reply::Bytes(text) = &reply {
                prop_assert_eq!(answer::whole_bulk(&bytes), Some((&**text, bytes.len())));
            }
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
fn code_that_clients_act_on_gets_a_prefix() {
    let sent = |code: &'static str, message: &str| {
        let reply = Reply::Error(Failure::new(code, message));
        let nested = Reply::List(vec![reply.clone()]);
        let [line, resp2, resp3, row] = [
            (&reply, Protocol::Line),
            (&reply, Protocol::Resp2),
            (&reply, Protocol::Resp3),
            (&nested, Protocol::Line),
        ]
        .map(|(reply, protocol)| String::from_utf8(encoded(reply, protocol)).unwrap());
        let text = line.trim_end().to_owned();
        assert_eq!([&resp2, &resp3].map(|answer| answer.trim_end()), [&text; 2]);
        assert_eq!(row.trim_end(), text);
        assert_eq!(encoded(&nested, Protocol::Resp3), format!("*1\r\n{resp3}").as_bytes());
        text
    };
    for code in [
        "ASK",
        "CLUSTERDOWN",
        "CROSSSLOT",
        "EXECABORT",
        "LOADING",
        "MASTERDOWN",
        "MOVED",
        "NOAUTH",
        "NOREPLICAS",
        "NOSCRIPT",
        "READONLY",
        "TRYAGAIN",
        "UNBLOCKED",
        "WRONGPASS",
    ] {
        assert_eq!(sent(code, "why"), format!("-APP_{code} why"));
        assert_eq!(sent(code, ""), format!("-APP_{code}"));
    }
    assert_eq!(sent("loading", "why"), "-APP_LOADING why");
    assert_eq!(sent("Read-Only", "why"), "-READ_ONLY why");
    // rueidis and lettuce look for the beginning only.
    assert_eq!(sent("asked", "why"), "-APP_ASKED why");
    assert_eq!(sent("moved on", "x y z"), "-APP_MOVED_ON x y z");
    for message in [
        "max number of clients reached",
        "invalid password",
        "problem with LDAP service",
        "Client sent AUTH, but no password is set",
    ] {
        assert_eq!(sent("ERR", message), format!("-APP_ERR {message}"));
    }
    let broken = Reply::Error(Failure::new("", "max number\nof clients"));
    assert_eq!(encoded(&broken, Protocol::Resp2), b"-APP_ERR max number of clients\r\n");
    // Other codes, and these words elsewhere, stay.
    for code in ["BUSY", "NOPERM", "ERR", "NOTFOUND", "OOM", "RELOADING", "APP_LOADING", "TASK"] {
        assert_eq!(sent(code, "LOADING"), format!("-{code} LOADING"));
    }
    let protocol = Reply::Error(Failure::protocol("WRONGPASS", "why"));
    assert_eq!(encoded(&protocol, Protocol::Resp2), b"-WRONGPASS why\r\n");
    // A failure of another daemon that a command passes on.
    let read = answer::read(b"-MOVED 1 x:1\r\n").unwrap();
    assert_eq!(read, Reply::Error(Failure::new("MOVED", "1 x:1")));
    assert_eq!(encoded(&read, Protocol::Resp2), b"-APP_MOVED 1 x:1\r\n");
}

#[test]
fn push_is_not_an_answer() {
    let push = b">2\r\n$3\r\nfoo\r\n:1\r\n";
    assert_eq!(scanned(push), Ok(Scan::Whole { len: push.len(), push: true }));
}

#[test]
fn map_with_an_error_as_key_is_a_level_deeper_in_resp3() {
    let bytes = ["*1\r\n".repeat(63), "%1\r\n-E x\r\n:1\r\n".into()].concat();
    assert_eq!(check::answers(bytes.as_bytes(), &[1]).len(), 1);
    let again = encoded(&answer::read(bytes.as_bytes()).unwrap(), Protocol::Resp3);
    assert!(answer::read(&again).is_err());
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
            Reply::Set(vec![Reply::List(vec![Reply::Int(1)])]),
            "1\n",
            "*1\r\n*1\r\n:1\r\n",
            "*1\r\n*1\r\n:1\r\n",
        ),
        (
            Reply::Map(vec![
                (Reply::Int(1), Reply::Int(2)),
                (Reply::List(vec![Reply::Int(3)]), Reply::Null),
            ]),
            "1\t2\n3\t\n",
            "*4\r\n:1\r\n:2\r\n*1\r\n:3\r\n$-1\r\n",
            "*2\r\n*2\r\n:1\r\n:2\r\n*2\r\n*1\r\n:3\r\n_\r\n",
        ),
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

#[test]
fn long_text_in_a_row_comes_in_parts() {
    let long = "a\tb\\".repeat(40_000);
    let rows = Reply::List(vec![
        Reply::List(vec![Reply::Int(1), Reply::bytes(long.clone()), Reply::bytes(long.clone())]),
        Reply::bytes(long.clone()),
    ]);
    for reply in [rows, Reply::bytes(long.clone()), Reply::map([(long, Reply::Int(1))])] {
        let bytes = encoded(&reply, Protocol::Resp3);
        let whole = (answer::read(&bytes).unwrap().into_line(), bytes.len());
        for size in [1000, 65_537, usize::MAX] {
            assert!(in_pieces(&bytes, &[size]) == Ok(Some(whole.clone())), "{size}");
        }
    }
}
