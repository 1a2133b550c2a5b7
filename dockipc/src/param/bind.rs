//! Finds the words of each parameter.

use super::declared::short_option;
use super::{Param, Shape, Way};
use crate::arg::{Arity, Quoted, Truncated, usage};
use crate::buffer::Buffer;
use crate::error::Failure;
use crate::request::Words;
use crate::wire::words::Splitter;
use crate::wire::{Base, Frame, Span};

/// Buffers for binding one command, reused for the next.
#[derive(Default)]
pub(crate) struct Scratch {
    /// The words of a RESP command as received.
    pub(crate) incoming: Vec<Span>,
    /// The positional words after the name.
    words: Vec<Span>,
    /// The index of each option's parameter, and its value.
    options: Vec<(usize, Span)>,
    /// Words that are not in the input as they are: unquoted or joined.
    text: Buffer,
}

impl Scratch {
    /// Frees the memory of an unusually long command.
    pub(crate) fn shrink(&mut self) {
        const KEEP: usize = 1024;
        let Self { incoming, words, options, text } = self;
        if incoming.capacity().max(words.capacity()).max(options.capacity()) > KEEP
            || text.capacity() > 16 * KEEP
        {
            *self = Self::default();
        }
    }

    /// Clears the unquoted and joined words, which may be secrets.
    pub(crate) fn wipe(&mut self) {
        self.text.clear();
    }
}

/// The words of a bound command, borrowed from the input and the scratch buffers.
#[derive(Clone, Copy)]
pub(crate) struct Bound<'r> {
    pub(crate) words: Words<'r>,
    pub(crate) options: &'r [(usize, Span)],
}

impl<'r> Bound<'r> {
    /// Returns each word with its parameter: positional words first, then options and flags.
    pub(crate) fn named<'p>(
        &self,
        params: &'p [Param],
    ) -> impl Iterator<Item = (&'p Param, &'r [u8])> + use<'p, 'r> {
        let Self { words, options } = *self;
        let mut placed = params.iter().filter(|param| param.way.is_positional()).peekable();
        // The last parameter may take many words.
        let param = move || placed.next_if(|p| p.arity != Arity::Many).or(placed.peek().copied());
        let positional = std::iter::repeat_with(param).map_while(|param| param).zip(words.iter());
        let options = options.iter();
        let option = move |(index, span): &(usize, Span)| {
            (&params[*index], span.of(words.input, words.text))
        };
        positional.chain(options.map(option))
    }
}

/// A command whose name is known and whose words are not bound. A line is split only while it is bound.
pub(crate) struct Unbound<'r> {
    input: &'r [u8],
    source: Source<'r>,
    scratch: &'r mut Scratch,
    name: Option<Span>,
    /// The incoming words are the parameters' words, in order.
    is_unchanged: bool,
    /// The number of words that were taken from the middle of the name of a line. They are the first ones of the
    /// parameters.
    leading: usize,
    /// If it is there, a word in front of the first `--` may be an option, also if the command declares none. It is the
    /// number of words behind the `--` of [`Way::Last`].
    pub(crate) ends_options: Option<usize>,
}

enum Source<'r> {
    Line(Splitter<'r>),
    /// The index of the next incoming word.
    Resp(usize),
}

impl<'r> Unbound<'r> {
    pub(crate) fn new(input: &'r [u8], frame: Frame, scratch: &'r mut Scratch) -> Self {
        scratch.words.clear();
        scratch.options.clear();
        scratch.text.clear();
        let source = match frame {
            Frame::Line { len } => {
                if cfg!(feature = "zeroize") {
                    // Room for all words twice (see `all_from_start`): growing would leave a copy of a
                    // secret behind.
                    scratch.text.reserve(2 * len);
                }
                Source::Line(Splitter::new(&input[..len]))
            }
            Frame::Resp => Source::Resp(0),
        };
        Self {
            input,
            source,
            scratch,
            name: None,
            is_unchanged: false,
            leading: 0,
            ends_options: None,
        }
    }

    /// Reads the first word, the name.
    pub(crate) fn read_name(&mut self) -> Result<(), Failure> {
        self.name = self.next()?;
        Ok(())
    }

    /// Returns the next words, at most this many, and takes none.
    #[cold]
    pub(crate) fn peek(&self, count: usize) -> Vec<Buffer> {
        let (mut words, mut text) = (Vec::new(), Buffer::default());
        let mut add = |word: &[u8]| {
            let mut copy = Buffer::with_capacity(word.len());
            copy.extend_from_slice(word);
            words.push(copy);
        };
        match &self.source {
            Source::Line(splitter) => {
                text.reserve(self.input.len());
                let mut splitter = splitter.clone();
                for _ in 0..count {
                    // Binding has the error of an unclosed quote.
                    let Ok(Some(span)) = splitter.next(text.as_vec()) else { break };
                    add(span.of(self.input, &text));
                }
            }
            Source::Resp(at) => {
                let spans = self.scratch.incoming.get(*at..).unwrap_or_default();
                spans.iter().take(count).for_each(|span| add(span.of(self.input, &[])));
            }
        }
        words
    }

    /// Joins a word to the name, which is a group: the next one, or the one behind this many words, which are the
    /// first ones of the parameters. Returns whether there is one. `has_last` says whether the command takes the words
    /// behind a `--`.
    #[cold]
    #[inline(never)]
    pub(crate) fn join_name(&mut self, leading: usize, has_last: bool) -> Result<bool, Failure> {
        let first = self.name().unwrap_or_default().to_vec();
        let second = match &mut self.source {
            Source::Line(splitter) => {
                if cfg!(feature = "zeroize") {
                    // As in `new`, beside the joined name.
                    self.scratch.text.reserve(3 * self.input.len() + 1);
                }
                for _ in 0..leading {
                    let span = splitter.next(self.scratch.text.as_vec()).map_err(usage)?;
                    self.scratch.words.extend(span);
                }
                self.leading = leading;
                splitter.start_here();
                self.next()?
            }
            Source::Resp(at) => {
                let (incoming, at) = (&mut self.scratch.incoming, *at + leading);
                let second = (at < incoming.len()).then(|| incoming.remove(at));
                // The end of the options comes before all words.
                if leading > 0
                    && !has_last
                    && incoming.get(at).is_some_and(|word| word.of(self.input, &[]) == b"--")
                {
                    incoming[at - leading..=at].rotate_right(1);
                }
                second
            }
        };
        let Some(second) = second else { return Ok(false) };
        let second = second.of(self.input, &self.scratch.text).to_vec();
        let text = &mut self.scratch.text;
        let start = text.len();
        text.extend_from_slice(&[&first[..], &second].join(&b' '));
        self.name = Some(Span { start, end: text.len(), base: Base::Text });
        Ok(true)
    }

    /// Drops the words in front of the one with this index, and reads that one as the name.
    #[cold]
    #[inline(never)]
    pub(crate) fn skip_to(&mut self, index: usize) -> Result<(), Failure> {
        match &mut self.source {
            Source::Resp(at) => {
                let incoming = &mut self.scratch.incoming;
                incoming.drain(..index.min(incoming.len()));
                *at = 0;
            }
            Source::Line(splitter) => {
                let text = self.scratch.text.as_vec();
                if cfg!(feature = "zeroize") {
                    text.reserve(3 * self.input.len());
                }
                splitter.rewind();
                for _ in 0..index {
                    splitter.next(text).map_err(usage)?;
                }
                splitter.start_here();
            }
        }
        self.read_name()
    }

    /// Returns the name, or `None` on an empty line.
    pub(crate) fn name(&self) -> Option<&[u8]> {
        self.name.map(|span| span.of(self.input, &self.scratch.text))
    }

    /// Returns the first word after the name. The words must be taken from the start afterwards.
    #[cold]
    pub(crate) fn first_word(&mut self) -> Option<&[u8]> {
        let text = self.scratch.text.as_vec();
        let word = match &mut self.source {
            Source::Resp(_) => self.scratch.incoming.get(1).copied(),
            Source::Line(splitter) => {
                splitter.rewind();
                splitter.next(text).and_then(|_| splitter.next(text)).ok()?
            }
        };
        word.map(|word| word.of(self.input, &self.scratch.text))
    }

    /// Removes the last word of a RESP command, its body. Nothing may have been taken but the name.
    #[cold]
    pub(crate) fn take_last(&mut self) -> Option<&'r [u8]> {
        let incoming = &mut self.scratch.incoming;
        let last = if incoming.len() > 1 { incoming.pop() } else { None };
        last.map(|span| &self.input[span.start..span.end])
    }

    /// Returns whether the command is a line.
    pub(crate) fn is_line(&self) -> bool {
        matches!(self.source, Source::Line(_))
    }

    fn next(&mut self) -> Result<Option<Span>, Failure> {
        match &mut self.source {
            Source::Line(splitter) => splitter.next(self.scratch.text.as_vec()).map_err(usage),
            Source::Resp(at) => {
                *at += 1;
                Ok(self.scratch.incoming.get(*at - 1).copied())
            }
        }
    }

    /// Returns the number of words of a RESP command that were not taken.
    fn left(&self) -> usize {
        let Source::Resp(at) = self.source else { return 0 };
        self.scratch.incoming.len().saturating_sub(at)
    }

    /// Returns whether the next word begins with `--`, or without options, whether it is `--`. With short names, it
    /// may also be `-` and a letter.
    fn option_is_next(&self, takes_options: bool, has_short: bool) -> bool {
        let (next, is_line) = match &self.source {
            Source::Line(splitter) => (splitter.peek(), true),
            Source::Resp(at) => {
                let span = self.scratch.incoming.get(*at);
                (span.map_or(&[][..], |span| span.of(self.input, &[])), false)
            }
        };
        if has_short && is_short(next) {
            return true;
        }
        next.strip_prefix(b"--").is_some_and(|more| match more {
            [] => true,
            [b' ' | b'\t', ..] if is_line => true,
            _ => takes_options,
        })
    }

    /// Takes the rest of a line unchanged, or the remaining RESP words joined by spaces.
    fn rest(&mut self) -> Option<Span> {
        let Scratch { incoming, text, .. } = &mut *self.scratch;
        match &mut self.source {
            Source::Line(splitter) => splitter.rest(),
            Source::Resp(at) => {
                let rest = incoming.get(*at..).unwrap_or_default();
                *at = incoming.len();
                let [first, more @ ..] = rest else { return None };
                if more.is_empty() {
                    return Some(*first);
                }
                let start = text.len();
                for (i, span) in rest.iter().enumerate() {
                    if i > 0 {
                        text.extend_from_slice(b" ");
                    }
                    text.extend_from_slice(&self.input[span.start..span.end]);
                }
                Some(Span { start, end: text.len(), base: Base::Text })
            }
        }
    }

    /// Returns the name and all words, for a handler without declared parameters. On failure, the words
    /// are those before the failure.
    pub(crate) fn all(&mut self) -> (&[u8], Words<'_>, Result<(), Failure>) {
        let mut result = Ok(());
        if let Source::Resp(_) = self.source {
            if self.ends_options.is_some() {
                let Scratch { incoming, .. } = &mut *self.scratch;
                let end = incoming.iter().position(|span| span.of(self.input, &[]) == b"--");
                end.map(|end| incoming.remove(end));
            }
            self.is_unchanged = true;
        } else {
            loop {
                match self.next() {
                    Ok(Some(span)) => self.scratch.words.push(span),
                    Ok(None) => break,
                    Err(failure) => {
                        result = Err(failure);
                        break;
                    }
                }
            }
        }
        (self.name().unwrap_or_default(), self.found().words, result)
    }

    /// Like [`all`](Self::all), after some words have been taken.
    #[cold]
    pub(crate) fn all_from_start(&mut self) -> (&[u8], Words<'_>, Result<(), Failure>) {
        self.scratch.words.truncate(self.leading);
        match &mut self.source {
            Source::Resp(at) => *at = 1,
            Source::Line(splitter) => {
                splitter.rewind();
                // Skips the name, which was read before without an error.
                let _ = splitter.next(self.scratch.text.as_vec());
            }
        }
        self.all()
    }

    /// Finds the words of each parameter. The message of a failure does not name the command.
    #[inline]
    pub(crate) fn bind(&mut self, params: &[Param], shape: &Shape) -> Result<(), Failure> {
        let has_options = shape.has_options || self.ends_options.is_some();
        if let (Source::Resp(_), false, None) = (&self.source, has_options, shape.before_rest)
            && let words = self.scratch.incoming.get(1..).unwrap_or_default()
            && words.len() <= shape.most
            && words.first().is_none_or(|word| word.of(self.input, &[]) != b"--")
        {
            self.is_unchanged = true;
            return Ok(());
        }
        self.bind_each(params, shape)
    }

    /// Like [`bind`](Self::bind), which is quick for most commands.
    #[inline(never)]
    pub(crate) fn bind_each(&mut self, params: &[Param], shape: &Shape) -> Result<(), Failure> {
        if shape.body.is_some() {
            // The caller takes the body first.
            return Err(usage("a body"));
        }
        let Shape { has_options, before_rest, short, last, most, has_secret, .. } = *shape;
        let takes_options = has_options || self.ends_options.is_some();
        let mut options_end = false;
        loop {
            // Also without options in front of the words, so that an option can be added later.
            let may_end =
                !options_end && (takes_options || self.scratch.words.len() == self.leading);
            let at_rest = before_rest == Some(self.scratch.words.len());
            if at_rest && !(may_end && self.option_is_next(takes_options, short.is_some())) {
                let rest = self.rest();
                self.scratch.words.extend(rest);
                break;
            }
            let Some(span) = self.next()? else { break };
            let word = span.of(self.input, &self.scratch.text);
            if let Some(index) = last
                && word == b"--"
                && self.ends_options.is_none_or(|count| options_end && count == self.left())
            {
                while let Some(span) = self.next()? {
                    self.scratch.options.push((index, span));
                }
                break;
            }
            if may_end && word == b"--" {
                options_end = true;
            } else if let Some(bind_short) = short
                && !options_end
                && is_short(word)
            {
                bind_short(self, params, has_secret, span)?;
            } else if let Some(option) = word.strip_prefix(b"--")
                && takes_options
                && !options_end
            {
                let (index, value) = find_option(params, has_secret, option)?;
                let value = match (params[index].way, value) {
                    (Way::Flag(_), None) => span,
                    (Way::Flag(name), Some(_)) => {
                        return Err(usage(format_args!("--{name} takes no value")));
                    }
                    (_, Some(length)) => Span { start: span.end - length, ..span },
                    (_, None) => self.next()?.ok_or_else(|| {
                        usage(format_args!("{} needs a value", params[index].given_name()))
                    })?,
                };
                self.scratch.options.push((index, value));
            } else if self.scratch.words.len() == most {
                let before = self.scratch.words.first().filter(|_| !takes_options);
                let before = before.map(|span| span.of(self.input, &self.scratch.text));
                return Err(unexpected(params, has_secret, word, before));
            } else {
                self.scratch.words.push(span);
            }
        }
        Ok(())
    }

    /// Returns the words that [`bind`](Self::bind) found.
    pub(crate) fn found(&self) -> Bound<'_> {
        if self.is_unchanged { self.unchanged() } else { self.bound() }
    }

    /// Returns the words of a RESP command as received.
    fn unchanged(&self) -> Bound<'_> {
        let spans = self.scratch.incoming.get(1..).unwrap_or_default();
        Bound { words: Words { input: self.input, text: &[], spans }, options: &[] }
    }

    fn bound(&self) -> Bound<'_> {
        let scratch = &*self.scratch;
        let words = Words { input: self.input, text: &scratch.text, spans: &scratch.words };
        Bound { words, options: &scratch.options }
    }
}

/// Returns whether a word is short options, if the command has any: `-` and a letter. So `-5` is a word.
fn is_short(word: &[u8]) -> bool {
    matches!(word, [b'-', letter, ..] if letter.is_ascii_alphabetic())
}

/// The function [`bind_short`], which only the commands with short options contain.
pub(crate) type BindShort = fn(&mut Unbound<'_>, &[Param], bool, Span) -> Result<(), Failure>;

/// Binds `-n 3`, `-n3`, `-v`, or several flags as in `-vx`, of which the last may be an option with a value.
pub(super) fn bind_short(
    unbound: &mut Unbound<'_>,
    params: &[Param],
    has_secret: bool,
    span: Span,
) -> Result<(), Failure> {
    for at in 1..span.end - span.start {
        let word = span.of(unbound.input, &unbound.scratch.text);
        let letter = word[at];
        let is_this = |param: &Param| param.short().as_bytes().get(1) == Some(&letter);
        let Some(index) = params.iter().position(is_this) else {
            let advice = "write -- in front of words that begin with -";
            return Err(match has_secret {
                true => usage(format_args!("unknown option; {advice}")),
                false if at > 1 => usage(format_args!(
                    "unknown option -{} in {}; {advice}",
                    letter.escape_ascii(),
                    Quoted(word),
                )),
                false => usage(format_args!("unknown option -{}; {advice}", char::from(letter))),
            });
        };
        if let Way::Flag(_) = params[index].way {
            unbound.scratch.options.push((index, span));
            continue;
        }
        let value = if at + 1 < word.len() {
            Span { start: span.start + at + 1, ..span }
        } else {
            unbound.next()?.ok_or_else(|| {
                usage(format_args!("{} needs a value", params[index].given_name()))
            })?
        };
        unbound.scratch.options.push((index, value));
        break;
    }
    Ok(())
}

/// Returns the failure for a word of no parameter. `first` is the first word of a command without options.
/// The words may be parts of a secret.
#[cold]
fn unexpected(params: &[Param], has_secret: bool, word: &[u8], first: Option<&[u8]>) -> Failure {
    if has_secret {
        return usage("unexpected word");
    }
    let hint = match first {
        Some([b'-', b'-', name @ ..]) => {
            format!("; there is no option --{}", Truncated(name))
        }
        _ => short_option(params, word),
    };
    usage(format_args!("unexpected word {}{hint}", Quoted(word)))
}

/// Returns the index of the parameter for `option` or `option=value`, and the length of the value.
fn find_option(
    params: &[Param],
    has_secret: bool,
    option: &[u8],
) -> Result<(usize, Option<usize>), Failure> {
    let (name, value) = match option.iter().position(|&b| b == b'=') {
        Some(at) => (&option[..at], Some(option.len() - at - 1)),
        None => (option, None),
    };
    let found = params.iter().position(|p| p.way.option().is_some_and(|o| o.as_bytes() == name));
    found.map(|index| (index, value)).ok_or_else(|| {
        if has_secret {
            return usage("unknown option");
        }
        usage(format_args!("unknown option --{}", Truncated(name)))
    })
}

#[cfg(test)]
mod tests {
    use super::{Scratch, Unbound};
    use crate::wire::Frame;

    #[test]
    fn long_command_leaves_no_memory() {
        let mut scratch = Scratch::default();
        let line = r"\x ".repeat(10_000);
        let frame = Frame::Line { len: line.len() };
        let mut unbound = Unbound::new(line.as_bytes(), frame, &mut scratch);
        unbound.read_name().unwrap();
        let (_, words, _) = unbound.all();
        assert_eq!(words.iter().len(), 9_999);
        scratch.incoming.reserve(10_000);
        scratch.shrink();
        let Scratch { incoming, words, options, text } = &scratch;
        let kept = [incoming.capacity(), words.capacity(), options.capacity(), text.capacity()];
        assert_eq!(kept, [0; 4]);

        // The capacity that short commands need is kept.
        scratch.incoming.reserve(100);
        scratch.shrink();
        assert!(scratch.incoming.capacity() >= 100);
    }
}
