//! What the shell does while a line is typed: Tab, hints, colours.

use std::borrow::Cow;
use std::rc::Rc;

use anstyle::{AnsiColor, Style};
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::Validator;
use rustyline::{CompletionType, Context, Helper};

use super::super::complete::{Proposal, Typed, arguments, left, names};
use super::super::interface::Interface;
use super::super::output::width;
use super::{Session, has_colours};

/// The lines are a daemon's commands.
pub(super) struct Editing {
    session: Rc<Session>,
    /// Without colours a hint can't be told from what is typed.
    hints: bool,
}

impl Editing {
    pub(super) fn new(session: Rc<Session>) -> Self {
        Self { session, hints: has_colours() }
    }

    /// What can stand at the end of a line. The daemon is asked, for a moment.
    fn propose(&self, line: &Typed) -> Vec<Proposal> {
        let session = &self.session;
        let is_there = session.look();
        let interface = session.interface();
        match &line.words[..] {
            [] => {
                let mut found = names(&interface, &line.begun);
                found.extend(own(&interface, &line.begun));
                found.sort_by(|a, b| a.value.cmp(&b.value));
                found
            }
            [help] if help == "help" && session.helps() => names(&interface, &line.begun),
            [name, words @ ..] => {
                let Some(command) = interface.find(name) else { return Vec::new() };
                arguments(command, words, &line.begun, |question| {
                    if !is_there {
                        return Vec::new();
                    }
                    let client = session.quick();
                    let asked = || Ok::<_, ()>(question.ask(&client));
                    session.interrupt.during(asked).0.unwrap_or_default()
                })
            }
        }
    }
}

/// The shell's own words.
fn own(interface: &Interface, begun: &str) -> Vec<Proposal> {
    let own = [("help", "What there is, or one command"), ("exit", "Leave the shell")];
    let fit = own.into_iter().filter(|(name, _)| name.starts_with(begun));
    let fit = fit.filter(|(name, _)| !interface.commands.contains_key(*name));
    fit.filter_map(|(name, help)| Proposal::new(name, help)).collect()
}

impl Completer for Editing {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let typed = Typed::read(&line[..at]);
        let quote = line[typed.start..].chars().next();
        let proposals = self.propose(&typed);
        let is_only = proposals.len() == 1;
        let longest = proposals.iter().map(|proposal| proposal.value.chars().count()).max();
        let pairs = proposals.into_iter().map(|proposal| {
            let value = &*proposal.value;
            let (mut replacement, end) =
                if proposal.is_untouched { (value.into(), "") } else { quoted(value, quote) };
            if is_only && !proposal.is_open() {
                replacement.push_str(end);
                replacement.push(' ');
            }
            Pair { display: shown(&proposal, longest.unwrap_or(0)), replacement }
        });
        Ok((typed.start, pairs.collect()))
    }
}

/// A value as a word of a line, and what ends its quotes. It goes on as it was begun, and where it
/// was not quoted it has backslashes, so that values which begin alike still do.
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

/// A proposal in a list: its help stands in a column of its own.
fn shown(proposal: &Proposal, longest: usize) -> String {
    let Proposal { value, help, .. } = proposal;
    if help.is_empty() {
        return value.clone();
    }
    let blanks = " ".repeat(longest.saturating_sub(value.chars().count()));
    let line: String = format!("{value}{blanks}{GAP}{help}").chars().take(width() - 2).collect();
    // So wide that rustyline does not put two side by side.
    format!("{line:<half$}", half = width() / 2)
}

/// Between a value and its help.
const GAP: &str = "  ";

/// The usage that is left, or the rest of a name.
pub(super) struct Rest {
    shown: String,
    /// What the right arrow takes over.
    typed: usize,
}

impl Hint for Rest {
    fn display(&self) -> &str {
        &self.shown
    }

    fn completion(&self) -> Option<&str> {
        Some(&self.shown[..self.typed]).filter(|typed| !typed.is_empty())
    }
}

impl Hinter for Editing {
    type Hint = Rest;

    /// What is known already: while somebody types, the daemon is not asked.
    fn hint(&self, line: &str, at: usize, _: &Context<'_>) -> Option<Rest> {
        if !self.hints || at < line.len() || line.trim().is_empty() {
            return None;
        }
        let Typed { words, begun, .. } = Typed::read(line);
        let interface = self.session.interface();
        if let [name, words @ ..] = &words[..] {
            let shown = left(interface.find(name)?, words, &begun)?;
            return Some(Rest { shown, typed: 0 });
        }
        let name = match interface.find(&begun) {
            Some(_) => begun.clone(),
            None => match &names(&interface, &begun)[..] {
                [only] => only.value.clone(),
                _ => return None,
            },
        };
        let end = name.get(begun.len()..)?;
        let usage = left(interface.find(&name)?, &[], "").unwrap_or_default();
        let shown = format!("{end} {usage}");
        Some(Rest { shown: shown.trim_end().to_owned(), typed: end.len() })
    }
}

impl Highlighter for Editing {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        styled(AnsiColor::Green.on_default().bold(), prompt)
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        styled(GREY, hint)
    }

    fn highlight_candidate<'c>(&self, candidate: &'c str, _: CompletionType) -> Cow<'c, str> {
        let Some(at) = candidate.find(GAP) else { return candidate.into() };
        let (value, help) = candidate.split_at(at);
        format!("{value}{}", styled(GREY, help)).into()
    }
}

const GREY: Style = AnsiColor::BrightBlack.on_default();

fn styled(style: Style, text: &str) -> Cow<'_, str> {
    format!("{style}{text}{style:#}").into()
}

impl Validator for Editing {}

impl Helper for Editing {}

#[cfg(test)]
mod tests {
    use super::super::super::complete::Typed;
    use super::quoted;

    #[test]
    fn a_value_is_read_as_it_is_proposed() {
        for value in ["plain", "two words", "it's", "a\"b", r"back\slash", "$`", "#~", "ä"] {
            for quote in [None, Some('\''), Some('"'), Some('x')] {
                let (begin, end) = quoted(value, quote);
                assert_eq!(Typed::read(&format!("{begin}{end} ")).words, [value], "{quote:?}");
                assert_eq!(Typed::read(&begin).begun, value, "{quote:?}");
            }
        }
    }
}
