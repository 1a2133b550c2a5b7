//! A simple model of the decoder: it gets all bytes at once and keeps no state.
//! [`commands`](super::check::commands) compares the decoder with it.

use super::check::Event;
use crate::config::Limits;
use crate::error::code;

/// Returns the commands in these bytes, if nothing follows them.
pub(crate) fn model(limits: Limits, bytes: &[u8]) -> Vec<Event> {
    match bytes.first() {
        None => Vec::new(),
        Some(b'{') => vec![refused(code::PROTO, true, false)],
        Some(b'*') => commands(limits.command, bytes),
        Some(_) => vec![line(limits.line, bytes)],
    }
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

fn commands(limit: usize, mut bytes: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    while !bytes.is_empty() {
        let (event, rest) = match command(limit as u64, bytes) {
            Ok(found) => found,
            Err(Missing) => (Event::Incomplete, &[][..]),
        };
        let ends = matches!(event, Event::Refused(_, true, _));
        events.push(event);
        if ends {
            break;
        }
        bytes = rest;
    }
    events
}

/// The input ends inside the command.
struct Missing;

/// Returns the first command and the bytes after it.
fn command(limit: u64, bytes: &[u8]) -> Result<(Event, &[u8]), Missing> {
    let proto = |last| refused(code::PROTO, last, true);
    let (count, mut rest) = match number(b'*', bytes)? {
        Some((0, rest)) => return Ok((proto(false), rest)),
        Some((count, rest)) if count <= 1 << 20 => (count, rest),
        _ => return Ok((proto(true), &[])),
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
            _ => return Ok((proto(true), &[])),
        };
        over |= read(rest) + size + 2 + left * 6 > limit;
        let size = usize::try_from(size).map_err(|_| Missing)?;
        let (word, after) = rest.split_at_checked(size).ok_or(Missing)?;
        let (end, after) = after.split_at_checked(2).ok_or(Missing)?;
        if !over && end != b"\r\n" {
            return Ok((proto(true), &[]));
        }
        words.push(word.to_vec());
        rest = after;
    }
    let event = if over { refused(code::TOOBIG, false, true) } else { Event::Resp(words) };
    Ok((event, rest))
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
