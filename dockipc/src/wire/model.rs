//! A simple model of the decoder: it gets all bytes at once and keeps no state.
//! [`commands`](super::check::commands) compares the decoder with it.

use super::check::Event;
use crate::config::Limits;
use crate::error::code;

/// Returns the commands in these bytes, if nothing follows them.
pub(crate) fn model(limits: Limits, mut bytes: &[u8]) -> Vec<Event> {
    while let Some(rest) = bytes.strip_prefix(b"\r\n") {
        bytes = rest;
    }
    match bytes.first() {
        None => Vec::new(),
        Some(b'{') => vec![refused(code::PROTO, true, false)],
        Some(b'*') => commands(limits, bytes),
        Some(_) if is_hello(bytes) => commands(limits, bytes),
        Some(_) => vec![line(limits.line, bytes)],
    }
}

/// Returns whether the bytes are a line of line mode, if nothing follows them.
pub(crate) fn is_line(bytes: &[u8]) -> bool {
    !matches!(bytes.first(), None | Some(b'*' | b'{')) && bytes != b"\r\n" && !is_hello(bytes)
}

/// Returns whether the first word is HELLO.
fn is_hello(bytes: &[u8]) -> bool {
    let end = bytes.iter().position(|b| b" \t\r\n".contains(b));
    end.is_some_and(|end| bytes[..end].eq_ignore_ascii_case(b"hello"))
}

fn refused(code: &str, last: bool, resp: bool) -> Event {
    Event::Refused(code.to_owned(), last, resp)
}

fn line(limit: usize, bytes: &[u8]) -> Event {
    let Some(end) = bytes.iter().take(limit).position(|&b| b == b'\n') else {
        let whole = bytes.len() < limit;
        return if whole { Event::Incomplete } else { refused(code::TOOBIG, true, false) };
    };
    let text = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
    match String::from_utf8(text.to_vec()) {
        Ok(text) => Event::Line(text),
        Err(_) => refused(code::UTF8, true, false),
    }
}

fn commands(limits: Limits, mut bytes: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    while !bytes.is_empty() {
        let (event, rest) = match command(limits, bytes) {
            Ok(found) => found,
            Err(Missing) => (Some(Event::Incomplete), &[][..]),
        };
        let ends = matches!(event, Some(Event::Refused(_, true, _)));
        events.extend(event);
        if ends {
            break;
        }
        bytes = rest;
    }
    events
}

/// The input ends inside the command.
struct Missing;

/// Returns the first command, if these bytes are not skipped, and the bytes after it.
fn command(limits: Limits, bytes: &[u8]) -> Result<(Option<Event>, &[u8]), Missing> {
    if let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = bytes {
        return Ok((None, rest));
    }
    if let [b'*', minus @ ..] = bytes
        && minus.starts_with(b"-")
        && let Some((1.., rest)) = number(b'-', minus)?
    {
        return Ok((None, rest));
    }
    if is_hello(bytes) || (bytes.len() <= 5 && b"hello"[..bytes.len()].eq_ignore_ascii_case(bytes))
    {
        return hello(limits.line, bytes);
    }
    let limit = limits.command as u64;
    let proto = || Ok((Some(refused(code::PROTO, true, true)), &[][..]));
    let (count, mut rest) = match number(b'*', bytes)? {
        Some((0, rest)) => return Ok((None, rest)),
        Some((count, rest)) if count <= 1 << 20 => (count, rest),
        _ => return proto(),
    };
    let (mut words, mut over) = (Vec::new(), false);
    for left in (0..count).rev() {
        // The shortest word is `$0\r\n\r\n`.
        let read = |rest: &[u8]| (bytes.len() - rest.len()) as u64;
        over |= read(rest) + (left + 1) * 6 > limit;
        let size = match number(b'$', rest)? {
            Some((size, after)) if size <= 512 << 20 => {
                rest = after;
                size
            }
            _ => return proto(),
        };
        over |= read(rest) + size + 2 + left * 6 > limit;
        let size = usize::try_from(size).map_err(|_| Missing)?;
        let (word, after) = rest.split_at_checked(size).ok_or(Missing)?;
        let (end, after) = after.split_at_checked(2).ok_or(Missing)?;
        if !over && end != b"\r\n" {
            return proto();
        }
        words.push(word.to_vec());
        rest = after;
    }
    let event = if over { refused(code::TOOBIG, false, true) } else { Event::Resp(words) };
    Ok((Some(event), rest))
}

/// Returns the `HELLO` line of a client that speaks RESP, and the bytes after it.
fn hello(limit: usize, bytes: &[u8]) -> Result<(Option<Event>, &[u8]), Missing> {
    let event = match line(limit, bytes) {
        Event::Incomplete => return Err(Missing),
        Event::Refused(code, ..) => refused(&code, code == code::TOOBIG, true),
        event => event,
    };
    let end = bytes.iter().position(|&b| b == b'\n').map_or(bytes.len(), |end| end + 1);
    Ok((Some(event), &bytes[end..]))
}

/// Returns the number in a header and the bytes after it, or `None` for an invalid header.
fn number(kind: u8, bytes: &[u8]) -> Result<Option<(u64, &[u8])>, Missing> {
    let Some(rest) = bytes.strip_prefix(&[kind]) else {
        return if bytes.is_empty() { Err(Missing) } else { Ok(None) };
    };
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let (number, end) = rest.split_at(digits);
    match end {
        _ if digits >= 32 => Ok(None),
        [] => Err(Missing),
        [b'\r'] if digits > 0 => Err(Missing),
        [b'\r', b'\n', rest @ ..] if digits > 0 => {
            let number = String::from_utf8_lossy(number).parse().unwrap_or(u128::MAX);
            Ok(Some((u64::try_from(number).unwrap_or(u64::MAX), rest)))
        }
        _ => Ok(None),
    }
}
