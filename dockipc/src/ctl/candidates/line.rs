//! The words of an unfinished line.

use crate::wire::words::{Splitter, Unbalanced};

/// A line up to the cursor.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::ctl) struct PartialLine {
    /// The words before the one at the cursor.
    pub(in crate::ctl) words: Vec<String>,
    /// The word at the cursor; empty after a blank.
    pub(in crate::ctl) last: String,
    /// The offset of that word, in bytes.
    pub(in crate::ctl) start: usize,
}

impl PartialLine {
    /// Splits a line, which may end within quotes.
    pub(in crate::ctl) fn read(line: &str) -> Self {
        // With one more letter, there is always a word at the cursor.
        let mut closed = format!("{line}x");
        loop {
            match Self::split(&closed) {
                Ok(line) => return line,
                Err(Unbalanced::Quote { quote, .. }) => closed.push(quote),
                Err(Unbalanced::Backslash) => closed.push('x'),
            }
        }
    }

    fn split(line: &str) -> Result<Self, Unbalanced> {
        let line = line.as_bytes();
        let (mut splitter, mut text) = (Splitter::new(line), Vec::new());
        let (mut words, mut start) = (Vec::new(), 0);
        loop {
            let next = line.len() - splitter.peek().len();
            let Some(span) = splitter.next(&mut text)? else { break };
            start = next;
            words.push(String::from_utf8_lossy(span.of(line, &text)).into_owned());
        }
        let mut last = words.pop().unwrap_or_default();
        last.pop();
        Ok(Self { words, last, start })
    }
}

#[cfg(test)]
mod tests {
    use super::PartialLine;

    #[test]
    fn line_may_end_within_quotes() {
        let read = |line: &str| {
            let PartialLine { words, last, start } = PartialLine::read(line);
            (words.join("|"), last, start)
        };
        let is = |words: &str, last: &str, start| (words.to_owned(), last.to_owned(), start);
        assert_eq!(read(""), is("", "", 0));
        assert_eq!(read("ad"), is("", "ad", 0));
        assert_eq!(read("add  "), is("add", "", 5));
        assert_eq!(read("add 'two w"), is("add", "two w", 4));
        assert_eq!(read("add \"a\\"), is("add", "a\\", 4));
        assert_eq!(read("add a\\ b\\"), is("add", "a b", 4));
        assert_eq!(read("add 'x' ä"), is("add|x", "ä", 8));
    }
}
