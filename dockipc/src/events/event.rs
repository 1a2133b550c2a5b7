//! [`Event`], one published event in each form that a subscriber needs.

use std::sync::OnceLock;

use super::queue::Subscription;
use crate::reply::Reply;
use crate::session::Form;
use crate::wire::{Outgoing, Protocol, encode};

/// One published event. All its subscribers share it: each form is encoded once.
pub(super) struct Event {
    channel: Box<str>,
    /// The channel and the text of the value as bulk strings: the end of a message for Redis clients.
    bulk: Box<[u8]>,
    /// The value, unless the bulk string has all of it.
    value: Option<Reply>,
    typed: OnceLock<Box<[u8]>>,
    line: OnceLock<Box<[u8]>>,
}

impl Event {
    pub(super) fn new(channel: &str, value: Reply) -> Self {
        let mut bulk = Vec::new();
        encode::bulk(channel.as_bytes(), &mut bulk);
        let value = match value {
            Reply::Bytes(bytes) => {
                encode::bulk(&bytes, &mut bulk);
                None
            }
            value => {
                encode::bulk(&value.clone().into_line(), &mut bulk);
                Some(value)
            }
        };
        let (channel, bulk) = (channel.into(), bulk.into());
        Self { channel, bulk, value, typed: OnceLock::new(), line: OnceLock::new() }
    }

    pub(super) fn channel(&self) -> &str {
        &self.channel
    }

    /// Returns the bytes that it takes in a queue, about.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.bulk.len()
    }

    /// Appends the event in the form of one subscriber.
    pub(super) fn write(&self, subscription: &Subscription, form: Form, out: &mut Vec<u8>) {
        let end = match form {
            Form::Line => return out.extend_from_slice(self.line.get_or_init(|| self.to_line())),
            Form::Resp2 | Form::Resp3 => &self.bulk,
            Form::Typed => self.value.as_ref().map_or(&self.bulk, |value| {
                self.typed.get_or_init(|| self.to_typed(value.clone()))
            }),
        };
        subscription.write_head(form, out);
        out.extend_from_slice(end);
    }

    fn to_typed(&self, value: Reply) -> Box<[u8]> {
        let mut out = Outgoing::default();
        encode::bulk(self.channel.as_bytes(), out.tail());
        encode::reply(value, Protocol::Resp3, &mut out);
        out.to_vec().into()
    }

    /// Returns the channel and the value as one row.
    fn to_line(&self) -> Box<[u8]> {
        let (mut out, mut is_first) = (Vec::new(), true);
        encode::row(Reply::bytes(self.channel.as_bytes()), &mut is_first, &mut out);
        let value = self.value.clone().unwrap_or_else(|| Reply::bytes(self.text()));
        encode::row(value, &mut is_first, &mut out);
        out.push(b'\n');
        out.into()
    }

    /// Returns the text of the value.
    fn text(&self) -> &[u8] {
        let mut head = Vec::new();
        encode::bulk(self.channel.as_bytes(), &mut head);
        // Behind the channel, and the length of the text.
        let rest = &self.bulk[head.len()..self.bulk.len() - 2];
        let end = rest.iter().position(|&b| b == b'\n').unwrap_or_default();
        &rest[end + 1..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::IntoReply;

    fn written(event: &Event, subscription: &Subscription, form: Form) -> String {
        let mut out = Vec::new();
        event.write(subscription, form, &mut out);
        out.escape_ascii().to_string()
    }

    #[test]
    fn event_has_the_form_of_each_subscriber() {
        let exact = Subscription::new(false, b"jobs");
        let pattern = Subscription::new(true, b"j*");
        let event = Event::new("jobs", vec![(1, "a\tb"), (2, "c")].into_reply());
        let text = r"$4\r\njobs\r\n$11\r\n1\ta\\tb\n2\tc\n\r\n";
        let head = r"*3\r\n$7\r\nmessage\r\n";
        assert_eq!(written(&event, &exact, Form::Resp2), format!("{head}{text}"));
        let head = r">4\r\n$8\r\npmessage\r\n$2\r\nj*\r\n";
        assert_eq!(written(&event, &pattern, Form::Resp3), format!("{head}{text}"));
        assert_eq!(
            written(&event, &exact, Form::Typed),
            r">3\r\n$7\r\nmessage\r\n$4\r\njobs\r\n*2\r\n*2\r\n:1\r\n$3\r\na\tb\r\n*2\r\n:2\r\n$1\r\nc\r\n"
        );
        assert_eq!(written(&event, &exact, Form::Line), r"jobs\t1\ta\\tb\t2\tc\n");
        let event = Event::new("jobs", "two\nlines".into_reply());
        assert_eq!(written(&event, &exact, Form::Line), r"jobs\ttwo\\nlines\n");
        for form in [Form::Resp3, Form::Typed] {
            let message = r">3\r\n$7\r\nmessage\r\n$4\r\njobs\r\n$9\r\ntwo\nlines\r\n";
            assert_eq!(written(&event, &exact, form), message);
        }
    }
}
