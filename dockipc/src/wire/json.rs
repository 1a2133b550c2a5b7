//! Answers as JSON, by the same rules wherever they are written.
//!
//! Bytes that are not UTF-8 become `{"base64": "…"}`, and a failure within an answer becomes
//! `{"error": "CODE message"}`. A map with keys that are not text becomes a list of pairs. Numbers that JSON does
//! not have, such as NaN or integers of more than 64 bits, become text.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::ser::Error;
use serde::{Serialize, Serializer};

use super::Reply;
use super::answer::DEEPEST;

/// A reply that is written as JSON.
pub(crate) struct AsJson<'r>(pub(crate) &'r Reply);

impl Serialize for AsJson<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Level(self.0, 0).serialize(to)
    }
}

/// A part of a reply, and the number of levels around it.
struct Level<'r>(&'r Reply, usize);

impl Level<'_> {
    fn inner<'i>(&self, reply: &'i Reply) -> Level<'i> {
        Level(reply, self.1 + 1)
    }
}

impl Serialize for Level<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        // Each one takes a part of the thread's stack.
        if self.1 > DEEPEST {
            return Err(S::Error::custom(format_args!(
                "the answer is nested deeper than {DEEPEST}, and can't be written as JSON"
            )));
        }
        match self.0 {
            Reply::Null | Reply::Nulls(_) => to.serialize_unit(),
            Reply::Bool(value) => to.serialize_bool(*value),
            Reply::Int(value) => to.serialize_i64(*value),
            Reply::Float(value) if value.is_finite() => to.serialize_f64(*value),
            Reply::List(items) | Reply::Set(items) => {
                to.collect_seq(items.iter().map(|item| self.inner(item)))
            }
            Reply::Error(failure) => {
                let text = format!("{} {}", failure.code(), failure.message());
                to.collect_map([("error", text)])
            }
            Reply::Map(pairs) if pairs.iter().all(|(key, _)| text(key).is_some()) => {
                let field = |(key, value)| (text(key).unwrap_or_default(), self.inner(value));
                to.collect_map(pairs.iter().map(|(key, value)| field((key, value))))
            }
            Reply::Map(pairs) => {
                let pair = |(key, value)| (self.inner(key), self.inner(value));
                to.collect_seq(pairs.iter().map(|(key, value)| pair((key, value))))
            }
            #[cfg(feature = "json")]
            Reply::Formed(formed) if formed.is_json => match &formed.value {
                Reply::Bytes(bytes) => match serde_json::from_slice(bytes) {
                    Ok(text) => <&serde_json::value::RawValue>::serialize(&text, to),
                    Err(_) => Level(&formed.value, self.1).serialize(to),
                },
                other => Level(other, self.1).serialize(to),
            },
            Reply::Formed(formed) => Level(&formed.value, self.1).serialize(to),
            other => match (text(other), other) {
                (Some(text), _) => to.serialize_str(&text),
                (None, Reply::Bytes(bytes)) => to.collect_map([("base64", STANDARD.encode(bytes))]),
                (None, _) => to.serialize_unit(),
            },
        }
    }
}

/// Returns the text of a value that is one in JSON.
fn text(reply: &Reply) -> Option<Cow<'_, str>> {
    match reply {
        Reply::Ok => Some("OK".into()),
        Reply::Status(word) => Some(Cow::Borrowed(word)),
        Reply::Big(digits) => Some(digits.into()),
        Reply::Float(value) if !value.is_finite() => Some(value.to_string().into()),
        Reply::Bytes(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        _ => None,
    }
}

/// Converts an answer to JSON text; an error stays one, and JSON text is not encoded twice.
#[cfg(feature = "json")]
pub(crate) fn answer(reply: Reply) -> Reply {
    match reply {
        Reply::Error(_) => reply,
        Reply::Formed(formed) if formed.is_json => Reply::Formed(formed),
        reply => match serde_json::to_vec(&AsJson(&reply)) {
            Ok(text) => of_text(text),
            // Nested too deep: all keys are text.
            Err(error) => Reply::Error(error.to_string().into()),
        },
    }
}

/// Makes an answer of JSON text, which is a line of its own in line mode.
#[cfg(feature = "json")]
pub(crate) fn of_text(mut text: Vec<u8>) -> Reply {
    // A control character is whitespace between two values: in a string it is escaped.
    for byte in &mut text {
        if *byte < b' ' {
            *byte = b' ';
        }
    }
    let line = |formed: super::Formed, out: &mut Vec<u8>| {
        out.append(&mut formed.value.into_line());
        out.push(b'\n');
    };
    let (value, kept) = (Reply::Bytes(text), Vec::new());
    Reply::Formed(Box::new(super::Formed { value, line, kept, is_json: true }))
}
