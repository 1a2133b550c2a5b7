//! Parses the words of a request into values.

use std::any::Any;
use std::cell::Cell;

use super::{Bound, DefaultValue, Param};
use crate::arg::{Arity, BadWord};
use crate::error::Failure;
use crate::request::Request;
use crate::wire::Span;

/// The words of one request by parameter, from which generated code reads its arguments.
#[doc(hidden)]
pub struct Args<'r> {
    /// Its words are the positional ones.
    pub(crate) request: &'r Request<'r>,
    /// The index of each option's parameter, and its value.
    pub(crate) options: &'r [(usize, Span)],
    pub(crate) params: &'static [Param],
    pub(crate) purpose: Purpose<'r>,
}

/// Why the words are parsed.
#[derive(Clone, Copy)]
pub(crate) enum Purpose<'r> {
    /// To run the command.
    Run,
    /// To check them: the command's function is not called.
    Check,
    /// To run the command on the author's thread, with the value that it has there. A parameter takes it out.
    RunWith(&'r Cell<Option<&'r mut (dyn Any + 'static)>>),
}

impl<'r> Args<'r> {
    /// Returns whether to return before the command's function is called.
    pub fn is_check(&self) -> bool {
        matches!(self.purpose, Purpose::Check)
    }

    pub(crate) fn bound(&self) -> Bound<'r> {
        Bound { words: self.request.words, options: self.options }
    }

    /// Returns whether a flag was given.
    pub fn flag(&self, index: usize) -> bool {
        self.options.iter().any(|(at, _)| *at == index)
    }

    /// Returns whether the parameter was given.
    #[inline(never)]
    pub fn has(&self, index: usize) -> bool {
        self.words_of(index).next().is_some()
    }

    pub(super) fn parse<T>(
        &self,
        index: usize,
        read: impl Fn(&mut dyn Iterator<Item = &'r [u8]>) -> Result<Option<T>, BadWord<'r>>,
    ) -> Result<T, Failure> {
        let value = match self.only_word(index) {
            Some(word) => read(&mut std::iter::once(word)),
            None => self.read_all(index, read),
        };
        match value {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(self.is_missing(index)),
            Err(bad) => Err(self.refused(index, &bad)),
        }
    }

    #[inline(never)]
    fn read_all<T>(
        &self,
        index: usize,
        read: impl Fn(&mut dyn Iterator<Item = &'r [u8]>) -> Result<Option<T>, BadWord<'r>>,
    ) -> Result<Option<T>, BadWord<'r>> {
        let mut value = Ok(None);
        self.with_words(index, &mut |words| value = read(words));
        value
    }

    #[cold]
    #[inline(never)]
    fn is_missing(&self, index: usize) -> Failure {
        self.params[index].is_missing()
    }

    #[cold]
    #[inline(never)]
    fn refused(&self, index: usize, bad: &BadWord<'_>) -> Failure {
        self.params[index].refused(self.params, bad)
    }

    /// Returns the one word of a parameter, if it is known without a search: a positional word, or a default.
    fn only_word(&self, index: usize) -> Option<&'r [u8]> {
        if self.options.is_empty()
            && let Some(word) = self.request.words.get(self.params[index].word as usize)
        {
            return Some(word);
        }
        self.default_word(index)
    }

    #[inline(never)]
    fn default_word(&self, index: usize) -> Option<&'r [u8]> {
        match self.params[index].default {
            Some(DefaultValue::Word(word)) if !self.has(index) => Some(word.as_bytes()),
            _ => None,
        }
    }

    /// Calls a function with the words of a parameter.
    #[inline(never)]
    fn with_words(&self, index: usize, read: &mut dyn FnMut(&mut dyn Iterator<Item = &'r [u8]>)) {
        // With `next` alone: `dyn` has the compiler generate every method that an iterator overrides.
        let mut words = self.words_of(index);
        read(&mut std::iter::from_fn(move || words.next()));
    }

    fn positional_before(&self, index: usize) -> usize {
        self.params[..index].iter().filter(|param| param.way.is_positional()).count()
    }

    pub(super) fn words_of(&self, index: usize) -> impl Iterator<Item = &'r [u8]> {
        let (words, options) = (self.request.words, self.options);
        let way = self.params[index].way;
        let mut positional = words.skip(self.positional_before(index));
        let most = match (way.is_positional(), self.params[index].arity) {
            (false, _) => 0,
            (true, Arity::Many) => usize::MAX,
            (true, _) => 1,
        };
        positional.spans = &positional.spans[..positional.spans.len().min(most)];
        // A list takes every `--name value`; other types take the last.
        let is_list = self.params[index].arity == Arity::Many;
        let last = options.iter().rposition(|(at, _)| *at == index);
        let option = options
            .iter()
            .enumerate()
            .filter(move |(i, (at, _))| *at == index && (is_list || Some(*i) == last));
        positional.iter().chain(option.map(move |(_, (_, span))| span.of(words.input, words.text)))
    }
}
