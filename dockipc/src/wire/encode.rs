//! Encodes replies.

use std::time::Duration;

use super::float::float_text;
use super::outgoing::{LONG, Outgoing};
use super::reply::{Header, Reply, recycle, spare};
use super::{Protocol, escape_into};
use crate::error::{Failure, is_acted_on};

/// Appends a whole reply to `out`. Long bytes are not copied.
#[inline]
pub(crate) fn reply(reply: Reply, protocol: Protocol, out: &mut Outgoing) {
    if let Reply::Int(value) = reply
        && protocol != Protocol::Line
    {
        // It owns nothing that would have to be dropped.
        std::mem::forget(reply);
        return head(b':', value, out.tail());
    }
    any_reply(reply, protocol, out);
}

#[inline(never)]
fn any_reply(reply: Reply, protocol: Protocol, out: &mut Outgoing) {
    match (protocol, reply) {
        (Protocol::Line, Reply::Bytes(bytes)) if bytes.len() >= LONG => out.push(bytes),
        (Protocol::Line, reply) => line(reply, out.tail()),
        // The most frequent answer.
        (_, Reply::Bytes(bytes)) if bytes.len() < LONG => {
            bulk(&bytes, out.tail());
            recycle(bytes);
        }
        (protocol, reply) => resp(reply, protocol == Protocol::Resp3, out),
    }
}

/// Appends `-CODE message` with the protocol's line end.
pub(crate) fn failure(failure: &Failure, protocol: Protocol, out: &mut Vec<u8>) {
    failure_text(failure, out, |message, out| {
        out.extend(message.iter().map(|&b| if matches!(b, b'\r' | b'\n') { b' ' } else { b }));
    });
    out.extend_from_slice(if protocol == Protocol::Line { b"\n" } else { b"\r\n" });
}

/// Appends `-CODE message`. Clients must not act on an error of the author's by themselves, as redis-py
/// does on `LOADING`: such a code gets a prefix.
fn failure_text(failure: &Failure, out: &mut Vec<u8>, message: fn(&[u8], &mut Vec<u8>)) {
    out.push(b'-');
    let start = out.len();
    out.extend_from_slice(failure.code().as_bytes());
    if !failure.message().is_empty() {
        out.push(b' ');
        message(failure.message().as_bytes(), out);
    }
    if !failure.is_protocol() && is_acted_on(&out[start..]) {
        // `splice` brings 2 KiB of code.
        for &letter in b"APP_".iter().rev() {
            out.insert(start, letter);
        }
    }
}

/// Appends a RESP3 push frame that says what a command does, such as `running`, and for how many seconds
/// it has done so. The number has zeros in front up to `width` digits.
pub(crate) fn sign_of_life(what: &str, since: Duration, width: usize, out: &mut Vec<u8>) {
    let seconds = since.as_secs().to_string();
    let zeros = width.saturating_sub(seconds.len());
    length(b'>', 3, out);
    bulk(b"dockipc", out);
    bulk(what.as_bytes(), out);
    length(b'$', zeros + seconds.len(), out);
    out.resize(out.len() + zeros, b'0');
    out.extend_from_slice(seconds.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Appends a RESP3 push frame with one item of a stream.
pub(crate) fn push_item(item: Reply, out: &mut Outgoing) {
    out.tail().extend_from_slice(b">3\r\n$7\r\ndockipc\r\n$4\r\nitem\r\n");
    reply(item, Protocol::Resp3, out);
}

/// Appends a message with this beginning and one item of a stream as its text: a row if the item has columns.
pub(crate) fn message(head: &[u8], item: Reply, out: &mut Outgoing) {
    let text = match item {
        Reply::Formed(formed) => return message(head, formed.value, out),
        item @ (Reply::List(_) | Reply::Set(_) | Reply::Map(_)) => {
            let mut bytes = spare();
            row(item, &mut true, &mut bytes);
            bytes
        }
        item => item.into_line(),
    };
    out.tail().extend_from_slice(head);
    reply(Reply::Bytes(text), Protocol::Resp2, out);
}

/// Returns the row that an item of a list is in line mode.
pub(crate) fn row_line(item: Reply) -> Reply {
    let mut bytes = spare();
    row(item, &mut true, &mut bytes);
    bytes.push(b'\n');
    Reply::Bytes(bytes)
}

/// Appends a reply as the bytes of line mode.
pub(super) fn line(reply: Reply, out: &mut Vec<u8>) {
    match reply {
        Reply::Error(f) => failure(&f, Protocol::Line, out),
        Reply::List(items) | Reply::Set(items) => {
            for item in items {
                match item {
                    // JSON text has no tab and no newline.
                    Reply::Formed(formed) if formed.is_json => (formed.line)(*formed, out),
                    item => {
                        row(item, &mut true, out);
                        out.push(b'\n');
                    }
                }
            }
        }
        Reply::Map(pairs) => {
            for (key, value) in pairs {
                let mut first = true;
                row(key, &mut first, out);
                row(value, &mut first, out);
                out.push(b'\n');
            }
        }
        Reply::Status(word) => out.extend_from_slice(word.as_bytes()),
        Reply::Bytes(bytes) => {
            out.extend_from_slice(&bytes);
            recycle(bytes);
        }
        Reply::Null | Reply::Nulls(_) => {}
        Reply::Formed(formed) => (formed.line)(*formed, out),
        number => row(number, &mut true, out),
    }
}

/// Appends the rows of a table, below the names of its columns.
pub(crate) fn table(header: Header, items: Reply, out: &mut Vec<u8>) {
    header_row(header, out);
    if let Reply::List(items) = items {
        for item in items {
            table_row(header, item, out);
        }
    }
}

/// Appends the names of a table's columns. A name stands for the first of its columns.
pub(crate) fn header_row(header: Header, out: &mut Vec<u8>) {
    let mut is_first = true;
    for (name, columns) in header {
        row(Reply::bytes(*name), &mut is_first, out);
        out.extend(std::iter::repeat_n(b'\t', columns.saturating_sub(1)));
    }
    out.push(b'\n');
}

/// Appends a row of a table: the values of a map, without its keys.
pub(crate) fn table_row(header: Header, item: Reply, out: &mut Vec<u8>) {
    let mut is_first = true;
    match item {
        Reply::Map(pairs) => {
            for (_, value) in pairs {
                row(value, &mut is_first, out);
            }
        }
        Reply::Null | Reply::Nulls(_) => {
            let columns = header.iter().map(|(_, columns)| columns).sum();
            row(Reply::Nulls(columns), &mut is_first, out);
        }
        item => row(item, &mut is_first, out),
    }
    out.push(b'\n');
}

/// Appends a value as columns of one row, separated by tabs.
///
/// Invariant: only this function and [`line`] write a tab or a newline. Text is escaped, so that the
/// types of the answer alone decide the columns and the end of a row.
pub(crate) fn row(reply: Reply, first: &mut bool, out: &mut Vec<u8>) {
    match reply {
        Reply::List(items) | Reply::Set(items) => {
            for item in items {
                row(item, first, out);
            }
            return;
        }
        Reply::Map(pairs) => {
            for (key, value) in pairs {
                row(key, first, out);
                row(value, first, out);
            }
            return;
        }
        Reply::Formed(formed) => return row(formed.value, first, out),
        _ => {}
    }
    if !std::mem::replace(first, false) {
        out.push(b'\t');
    }
    match reply {
        Reply::Status(word) => escape_into(word.as_bytes(), out),
        Reply::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Reply::Int(value) => number(value, out),
        Reply::Big(digits) => escape_into(digits.as_bytes(), out),
        Reply::Float(value) => out.extend_from_slice(float_text(value).as_bytes()),
        Reply::Bytes(bytes) => {
            escape_into(&bytes, out);
            recycle(bytes);
        }
        Reply::Error(failure) => failure_text(&failure, out, escape_into),
        // n columns have n - 1 tabs between them.
        Reply::Nulls(columns) => out.extend(std::iter::repeat_n(b'\t', columns.saturating_sub(1))),
        Reply::Ok
        | Reply::Null
        | Reply::List(_)
        | Reply::Set(_)
        | Reply::Map(_)
        | Reply::Formed(_) => {}
    }
}

fn resp(reply: Reply, v3: bool, queue: &mut Outgoing) {
    let out = queue.tail();
    match reply {
        Reply::Ok => out.extend_from_slice(b"+OK\r\n"),
        Reply::Status(word) => {
            out.push(b'+');
            out.extend(word.bytes().map(|b| if matches!(b, b'\r' | b'\n') { b' ' } else { b }));
            out.extend_from_slice(b"\r\n");
        }
        Reply::Null | Reply::Nulls(_) => {
            out.extend_from_slice(if v3 { b"_\r\n" } else { b"$-1\r\n" });
        }
        Reply::Bool(value) => out.extend_from_slice(match (value, v3) {
            (true, true) => b"#t\r\n",
            (false, true) => b"#f\r\n",
            (true, false) => b":1\r\n",
            (false, false) => b":0\r\n",
        }),
        Reply::Int(value) => head(b':', value, out),
        // Not RESP3's `(`: redis-cli 7 exits at it with "Unknown reply type".
        Reply::Big(digits) => bulk(digits.as_bytes(), out),
        Reply::Float(value) if v3 => simple(b',', float_text(value).as_bytes(), out),
        Reply::Float(value) => bulk(float_text(value).as_bytes(), out),
        Reply::Bytes(bytes) if bytes.len() >= LONG => long_bulk(bytes, queue),
        Reply::Bytes(bytes) => {
            bulk(&bytes, out);
            recycle(bytes);
        }
        Reply::List(items) => list(b'*', items, v3, queue),
        Reply::Set(items) => {
            let is_set = v3 && items.iter().all(is_scalar);
            list(if is_set { b'~' } else { b'*' }, items, v3, queue);
        }
        Reply::Map(pairs) if v3 && !pairs.iter().all(|(key, _)| is_scalar(key)) => {
            length(b'*', pairs.len(), out);
            for (key, value) in pairs {
                list(b'*', vec![key, value], v3, queue);
            }
        }
        Reply::Map(pairs) => {
            let (kind, count) = if v3 { (b'%', pairs.len()) } else { (b'*', pairs.len() * 2) };
            length(kind, count, out);
            for (key, value) in pairs {
                resp(key, v3, queue);
                resp(value, v3, queue);
            }
        }
        Reply::Error(f) => failure(&f, Protocol::Resp2, out),
        Reply::Formed(formed) => resp(formed.value, v3, queue),
    }
}

/// Returns whether a value can be a key of a map and an item of a set: clients put both into hash tables.
/// With a list there, redis-py raises a `TypeError` and fred closes the connection.
pub(super) fn is_scalar(reply: &Reply) -> bool {
    match reply {
        Reply::List(_) | Reply::Set(_) | Reply::Map(_) | Reply::Error(_) => false,
        Reply::Formed(formed) => is_scalar(&formed.value),
        _ => true,
    }
}

fn list(kind: u8, items: Vec<Reply>, v3: bool, out: &mut Outgoing) {
    length(kind, items.len(), out.tail());
    for item in items {
        match item {
            // Not recycled: a list has many.
            Reply::Bytes(bytes) if bytes.len() < LONG => bulk(&bytes, out.tail()),
            item => resp(item, v3, out),
        }
    }
}

#[cold]
fn long_bulk(bytes: Vec<u8>, out: &mut Outgoing) {
    length(b'$', bytes.len(), out.tail());
    out.push(bytes);
    out.tail().extend_from_slice(b"\r\n");
}

fn simple(kind: u8, text: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

/// Appends a bulk string. Every word that a client sends is one, too.
pub(crate) fn bulk(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() + 24);
    head(b'$', as_int(bytes.len()), out);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Appends a length or a count, such as `*3\r\n`.
pub(crate) fn length(kind: u8, value: usize, out: &mut Vec<u8>) {
    head(kind, as_int(value), out);
}

fn as_int(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[inline]
fn head(kind: u8, value: i64, out: &mut Vec<u8>) {
    // Most have one or two digits.
    match usize::try_from(value).ok().and_then(|value| PAIRS.get(value)) {
        Some([b'0', one]) => out.extend_from_slice(&[kind, *one, b'\r', b'\n']),
        Some([ten, one]) => out.extend_from_slice(&[kind, *ten, *one, b'\r', b'\n']),
        None => long_head(kind, value, out),
    }
}

#[inline(never)]
fn long_head(kind: u8, value: i64, out: &mut Vec<u8>) {
    const LONGEST: usize = 24;
    let mut text = [0; 2 * LONGEST];
    (text[21], text[22]) = (b'\r', b'\n');
    let at = digits(value, &mut text[..21]) - 1;
    text[at] = kind;
    let length = out.len() + 23 - at;
    // A copy of a fixed length takes fewer instructions.
    out.extend_from_slice(&text[at..at + LONGEST]);
    out.truncate(length);
}

fn number(value: i64, out: &mut Vec<u8>) {
    let mut text = [0; 20];
    let at = digits(value, &mut text);
    out.extend_from_slice(&text[at..]);
}

/// The numbers from 0 to 99.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < 100_u8 {
        pairs[number as usize] = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
    }
    pairs
};

/// Writes an integer in decimal at the end of a text, and returns its place. `write!` took a tenth of the
/// instructions of a small command.
// Each copy of the loop would be unrolled.
#[inline(never)]
pub(crate) fn digits(value: i64, text: &mut [u8]) -> usize {
    let mut at = text.len();
    let mut left = value.unsigned_abs();
    while left >= 10 {
        // Two digits take one division.
        let two = left % 100;
        left /= 100;
        at -= 2;
        text[at..at + 2].copy_from_slice(&PAIRS[two as usize]);
    }
    if left > 0 || value == 0 {
        at -= 1;
        text[at] = b'0' + (left % 10) as u8;
    }
    if value < 0 {
        at -= 1;
        text[at] = b'-';
    }
    at
}
