//! The shell's line editor: completion, hints and colors.

use std::borrow::Cow;
use std::rc::Rc;

use anstyle::{AnsiColor, Style};
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::Validator;
use rustyline::{CompletionType, Context, Helper};
use unicode_width::UnicodeWidthStr;

use super::super::candidates::{Candidate, PartialLine, command_line, names, remaining_usage};
use super::super::interface::Interface;
use super::super::output::width;
use super::{Session, has_colors};

/// The helper of rustyline.
pub(super) struct EditHelper {
    session: Rc<Session>,
    /// Whether hints are shown. Without colors, a hint looks like typed text.
    hints: bool,
}

impl EditHelper {
    pub(super) fn new(session: Rc<Session>) -> Self {
        Self { session, hints: has_colors() }
    }

    /// Returns the candidates at the end of a line. Asks the daemon, with a short timeout.
    fn candidates(&self, line: &PartialLine) -> Vec<Candidate> {
        let session = &self.session;
        let is_reachable = session.refresh();
        let interface = session.interface();
        match &line.words[..] {
            [] => {
                let mut found = names(&interface, &[], &line.last);
                found.extend(own(&interface, &line.last));
                found.sort_by(|a, b| a.value.cmp(&b.value));
                found
            }
            [help, words @ ..] if help == "help" && session.has_help() => {
                names(&interface, words, &line.last)
            }
            words => command_line(&interface, words, &line.last, |query| {
                if !is_reachable {
                    return Vec::new();
                }
                let client = session.quick();
                let asked = || Ok::<_, ()>(query.ask(&client));
                session.interrupt.during(asked).0.unwrap_or_default()
            }),
        }
    }
}

/// Returns the shell's own commands that begin with `prefix`.
fn own(interface: &Interface, prefix: &str) -> Vec<Candidate> {
    let own = [("help", "List the commands, or explain one"), ("exit", "Leave the shell")];
    let fit = own.into_iter().filter(|(name, _)| name.starts_with(prefix));
    let fit = fit.filter(|(name, _)| !interface.commands.contains_key(*name));
    fit.filter_map(|(name, help)| Candidate::new(name, help)).collect()
}

impl Completer for EditHelper {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let typed = PartialLine::read(&line[..at]);
        let quote = line[typed.start..].chars().next();
        let candidates = self.candidates(&typed);
        let is_only = candidates.len() == 1;
        let longest = candidates.iter().map(|candidate| candidate.value.width()).max();
        let pairs = candidates.into_iter().map(|candidate| {
            let value = &*candidate.value;
            let (mut replacement, end) =
                if candidate.is_verbatim { (value.into(), "") } else { quoted(value, quote) };
            if is_only && !candidate.is_open() {
                replacement.push_str(end);
                replacement.push(' ');
            }
            Pair { display: shown(&candidate, longest.unwrap_or(0)), replacement }
        });
        Ok((typed.start, pairs.collect()))
    }
}

/// Quotes a value as the word was begun, or with backslashes, so that values with a common prefix
/// keep it. Also returns the closing quote.
fn quoted(value: &str, quote: Option<char>) -> (String, &'static str) {
    let escaped = |needs: fn(char) -> bool| {
        let escape = |char| needs(char).then_some('\\').into_iter().chain([char]);
        value.chars().flat_map(escape).collect::<String>()
    };
    match quote {
        Some('\'') => (format!("'{}", value.replace('\'', r"'\''")), "'"),
        Some('"') => (format!("\"{}", escaped(|char| "\"\\$`".contains(char))), "\""),
        _ => (escaped(|char| " \t'\"\\".contains(char)), ""),
    }
}

/// Formats a candidate for the list, with its help in a second column.
fn shown(candidate: &Candidate, longest: usize) -> String {
    let Candidate { value, help, .. } = candidate;
    if help.is_empty() {
        return value.clone();
    }
    let blanks = " ".repeat(longest.saturating_sub(value.width()));
    let line: String = format!("{value}{blanks}{GAP}{help}").chars().take(width() - 2).collect();
    // Wide enough that rustyline shows one per row.
    format!("{line:<half$}", half = width() / 2)
}

/// The space between a value and its help.
const GAP: &str = "  ";

/// The remaining usage, after the rest of the command's name.
pub(super) struct UsageHint {
    shown: String,
    /// The length of the part that the right arrow inserts, in bytes.
    insertable: usize,
}

impl Hint for UsageHint {
    fn display(&self) -> &str {
        &self.shown
    }

    fn completion(&self) -> Option<&str> {
        Some(&self.shown[..self.insertable]).filter(|text| !text.is_empty())
    }
}

impl Hinter for EditHelper {
    type Hint = UsageHint;

    /// Returns a hint from what is known: the daemon is not asked while the user types.
    fn hint(&self, line: &str, at: usize, _: &Context<'_>) -> Option<UsageHint> {
        if !self.hints || at < line.len() || line.trim().is_empty() {
            return None;
        }
        let PartialLine { words, last, .. } = PartialLine::read(line);
        let interface = self.session.interface();
        // The word at the cursor may be a part of the name, and not whole yet.
        let is_name = |word: &String| {
            let named = [&words[..], std::slice::from_ref(word)].concat();
            interface.resolve(&named).is_some_and(|(_, used)| used == named.len())
        };
        let found = names(&interface, &words, &last);
        let name = match &found[..] {
            _ if is_name(&last) => last.clone(),
            [only] => only.value.clone(),
            _ => {
                let (command, used) = interface.resolve(&words)?;
                let shown = remaining_usage(&command, &words[used..], &last)?;
                return Some(UsageHint { shown, insertable: 0 });
            }
        };
        let end = name.get(last.len()..)?;
        let usage = match interface.resolve(&[&words[..], std::slice::from_ref(&name)].concat()) {
            Some((command, used)) if used > words.len() => {
                remaining_usage(&command, &[], "").unwrap_or_default()
            }
            _ => String::new(),
        };
        let shown = format!("{end} {usage}");
        Some(UsageHint { shown: shown.trim_end().to_owned(), insertable: end.len() })
    }
}

impl Highlighter for EditHelper {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        styled(AnsiColor::Green.on_default().bold(), prompt)
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        styled(GRAY, hint)
    }

    fn highlight_candidate<'c>(&self, candidate: &'c str, _: CompletionType) -> Cow<'c, str> {
        let Some(at) = candidate.find(GAP) else { return candidate.into() };
        let (value, help) = candidate.split_at(at);
        format!("{value}{}", styled(GRAY, help)).into()
    }
}

const GRAY: Style = AnsiColor::BrightBlack.on_default();

fn styled(style: Style, text: &str) -> Cow<'_, str> {
    format!("{style}{text}{style:#}").into()
}

impl Validator for EditHelper {}

impl Helper for EditHelper {}

#[cfg(test)]
mod tests {
    use super::super::super::candidates::PartialLine;
    use super::quoted;

    #[test]
    fn quoted_value_is_read_back() {
        for value in ["plain", "two words", "it's", "a\"b", r"back\slash", "$`", "#~", "ä"] {
            for quote in [None, Some('\''), Some('"'), Some('x')] {
                let (begin, end) = quoted(value, quote);
                assert_eq!(
                    PartialLine::read(&format!("{begin}{end} ")).words,
                    [value],
                    "{quote:?}"
                );
                assert_eq!(PartialLine::read(&begin).last, value, "{quote:?}");
            }
        }
    }
}
