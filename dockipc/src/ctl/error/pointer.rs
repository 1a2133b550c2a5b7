//! Points at the word of a command that a daemon's message is about.

use unicode_width::UnicodeWidthStr;

use super::super::output::escaped;
use super::super::word::{Word, redact};
use super::{MAX_LINE, start};
use crate::arg::Quoted;
use crate::client::quote;
use crate::error::{Failure, code};

/// Returns the message without the usage, and lines below it that point at the word or, for a
/// missing argument, at the usage.
pub(super) fn point(words: &[Word], failure: &Failure) -> (String, Vec<String>) {
    let whole = start(failure.message(), MAX_LINE);
    let (message, usage) = match whole.split_once("; usage: ") {
        Some((message, usage)) if failure.code() == code::USAGE => (message, Some(usage)),
        _ => (whole, None),
    };
    let mut below = Vec::new();
    below.extend(locate(words, failure, message, usage).into_iter().flatten());
    if let Some(usage) = usage {
        below.push(format!("usage: {usage}"));
        let missing =
            message.strip_suffix(" is missing").map(|name| match name.strip_prefix("--") {
                Some(_) => name.to_owned(),
                None => format!("<{name}"),
            });
        if let Some(at) = missing.as_deref().and_then(|name| usage.find(name)) {
            let end = usage[at..].find(' ').map_or(usage.len(), |length| at + length);
            let blanks = " ".repeat("usage: ".len() + usage[..at].width());
            below.push(format!("{blanks}{}", "^".repeat(usage[at..end].width())));
        }
    }
    // The usage and the suggested name are the daemon's, and repeat none of the words.
    let hint = message.find("; did you mean ").filter(|_| failure.code() == code::UNKNOWN);
    let (text, hint) = message.split_at(hint.unwrap_or(message.len()));
    (format!("{}{hint}", redact(text, words)), below)
}

/// Returns the command as it would be typed, and a line that points at the word that the message is
/// about. Returns `None` if there is none, or for a line of a file, whose words are not shown.
fn locate(
    words: &[Word],
    failure: &Failure,
    message: &str,
    usage: Option<&str>,
) -> Option<[String; 2]> {
    let index = match failure.code() {
        // The second word of a group's command.
        code::UNKNOWN if words.get(1).is_some_and(|_| message.contains(&quoted_name(words))) => 1,
        code::UNKNOWN => 0,
        code::USAGE | code::UTF8 => {
            let first = first_place(words, message, usage.unwrap_or_default());
            let mut places = (1..words.len()).filter(|&at| is_about(words[at].bytes(), message));
            let place = places.clone().find(|&at| at >= first);
            place.or_else(|| places.next())?
        }
        _ => return None,
    };
    let typed: Vec<_> = words.iter().map(Word::shown).collect::<Option<_>>()?;
    (index < typed.len()).then(|| caret(&typed, index))
}

/// Returns the first two words as a message quotes a name of two words.
fn quoted_name(words: &[Word]) -> String {
    let two: Vec<_> = words.iter().take(2).map(Word::bytes).collect();
    Quoted(&two.join(&b' ')).to_string()
}

/// Returns the first place where the word of a message can be, if words are equal: behind its
/// option, or where the usage line has its parameter.
fn first_place(words: &[Word], message: &str, usage: &str) -> usize {
    let mut is_value = false;
    let mut positional = usage.split(' ').skip(1).filter(|part| {
        let is_option = part.trim_start_matches('[').starts_with("--");
        let is_positional = !is_option && !is_value;
        is_value = is_option && !part.ends_with(']');
        is_positional
    });
    let given = message.strip_prefix("bad value for ").and_then(|rest| rest.split(": ").next());
    let index = match given {
        None => positional.count(),
        Some(option) if option.starts_with("--") => {
            let is_option = |word: &Word| word.bytes().starts_with(option.as_bytes());
            return words.iter().position(is_option).unwrap_or_default();
        }
        Some(name) => positional
            .position(|part| part.trim_matches(['[', '<', '>', '…', ']']) == name)
            .unwrap_or_default(),
    };
    1 + index
}

/// The longest part of a word that is shown, in characters, and of a line before and after the word
/// that is pointed at, in columns.
const MAX_SHOWN: usize = 64;

/// Returns words as they would be typed, and a line with a caret below one of them. Long words and
/// lines are shortened.
pub(super) fn caret(words: &[impl AsRef<str>], index: usize) -> [String; 2] {
    let typed = |at: usize| {
        let word = words[at].as_ref();
        let end = word.char_indices().nth(MAX_SHOWN).map(|(end, _)| end);
        let rest = if end.is_some() { "…" } else { "" };
        let text = format!("{}{rest}", quote(&word[..end.unwrap_or(word.len())]));
        escaped(&text).into_owned()
    };
    let mut line = typed(index);
    let (mut column, width) = (0, line.width());
    for at in (0..index).rev() {
        let before = if column < MAX_SHOWN { typed(at) } else { "…".into() };
        line = format!("{before} {line}");
        column += before.width() + 1;
        if before == "…" {
            break;
        }
    }
    for at in index + 1..words.len() {
        let after =
            if line.width() < column + width + MAX_SHOWN { typed(at) } else { "…".into() };
        line = format!("{line} {after}");
        if after == "…" {
            break;
        }
    }
    [format!("  {line}"), format!("  {}{}", " ".repeat(column), "^".repeat(width))]
}

/// Returns whether a message is about a word: it quotes the word or its option's value, or names
/// its option.
fn is_about(word: &[u8], message: &str) -> bool {
    let value = word.iter().position(|&b| b == b'=').map(|at| &word[at + 1..]);
    let quoted = |word: &[u8]| message.contains(&Quoted(word).to_string());
    let option = message
        .strip_prefix("unknown option ")
        .or_else(|| message.strip_suffix(" takes no value"))
        .or_else(|| message.strip_suffix(" needs a value"));
    let option = option.map(|option| option.split(';').next().unwrap_or(option));
    let is_option = |option: &str| {
        let rest = word.strip_prefix(option.as_bytes());
        rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'=')))
    };
    quoted(word)
        || value.is_some_and(|value| word.starts_with(b"--") && quoted(value))
        || option.is_some_and(is_option)
}

#[cfg(test)]
mod tests {
    use super::super::super::word::Word;
    use super::{caret, point};
    use crate::error::{Failure, code};

    fn rendered_typed(words: &[&str], code: &'static str, message: &str) -> String {
        let words: Vec<_> =
            words.iter().map(|word| Word::typed(word.as_bytes().to_vec())).collect();
        rendered(&words, code, message)
    }

    fn rendered(words: &[Word], code: &'static str, message: &str) -> String {
        let (message, below) = point(words, &Failure::new(code, message));
        below.iter().fold(format!("{message}\n"), |text, line| text + line + "\n")
    }

    #[test]
    fn usage_error_points_at_its_word() {
        let usage = "usage: add <n> [--by <by>]";
        let cases: [(&[&str], &str, &str); 15] = [
            (
                &["add", "two words"],
                "bad value for n: \"two words\": expected an integer",
                "  add 'two words'\n      ^^^^^^^^^^^\n",
            ),
            (
                &["add", "1", "--by=x"],
                "bad value for --by: \"x\": no",
                "  add 1 --by=x\n        ^^^^^^\n",
            ),
            (&["add", "1", "--bye"], "unknown option --bye", "  add 1 --bye\n        ^^^^^\n"),
            (
                &["add", "1", "--by-2", "--by=3"],
                "--by takes no value",
                "  add 1 --by-2 --by=3\n               ^^^^^^\n",
            ),
            (&["add", "1", "--by"], "--by needs a value", "  add 1 --by\n        ^^^^\n"),
            (&["add", "1", "2"], "unexpected word \"2\"", "  add 1 2\n        ^\n"),
            (&["add", "漢字", "2"], "unexpected word \"2\"", "  add 漢字 2\n           ^\n"),
            (
                &["add", "e\u{301}e\u{301}", "2"],
                "unexpected word \"2\"",
                "  add e\u{301}e\u{301} 2\n         ^\n",
            ),
            (
                &["add", "漢\n字", "2"],
                "unexpected word \"2\"",
                "  add '漢\\n字' 2\n               ^\n",
            ),
            (
                &["add", "漢\n", "2"],
                "bad value for n: \"漢\\n\": no",
                "  add '漢\\n' 2\n      ^^^^^^\n",
            ),
            // Of equal words, the one in the place of the parameter.
            (&["add", "2", "2", "2"], "unexpected word \"2\"", "  add 2 2 2\n        ^\n"),
            (
                &["add", "x", "--by", "x"],
                "bad value for --by: \"x\": no",
                "  add x --by x\n             ^\n",
            ),
            (&["add", "x", "x"], "bad value for n: \"x\": no", "  add x x\n      ^\n"),
            (&["add", "--", "x"], "bad value for n: \"x\": no", "  add -- x\n         ^\n"),
            (
                &["add", "--yb"],
                "unknown option --yb; did you mean --by?",
                "  add --yb\n      ^^^^\n",
            ),
        ];
        for (words, message, below) in cases {
            let text = rendered_typed(words, code::USAGE, &format!("{message}; {usage}"));
            assert_eq!(text, format!("{message}\n{below}{usage}\n"));
        }
    }

    #[test]
    fn long_command_is_shortened_around_the_word() {
        let long = "x".repeat(1000);
        let lines = caret(&[&[&*long; 9][..], &["here"], &[&*long; 9]].concat(), 9);
        let shown = format!("{}…", "x".repeat(64));
        assert_eq!(lines[0], format!("  … {shown} here {shown} …"));
        assert_eq!(lines[1], format!("  {}^^^^", " ".repeat(lines[0].find("here").unwrap() - 6)));
    }

    #[test]
    fn missing_argument_points_at_the_usage() {
        let text =
            rendered_typed(&["add"], code::USAGE, "n is missing; usage: add <n> [--by <by>]");
        assert_eq!(text, "n is missing\nusage: add <n> [--by <by>]\n           ^^^\n");
        let text =
            rendered_typed(&["add", "1"], code::USAGE, "--by is missing; usage: add --by <by>");
        assert_eq!(text, "--by is missing\nusage: add --by <by>\n           ^^^^\n");
    }

    #[test]
    fn unknown_name_is_pointed_at() {
        let text =
            rendered_typed(&["ad", "1"], code::UNKNOWN, "no command \"ad\"; did you mean add?");
        assert_eq!(text, "no command \"ad\"; did you mean add?\n  ad 1\n  ^^\n");
        let message = "no command \"job ad\"; did you mean job add?";
        let text = rendered_typed(&["job", "ad", "1"], code::UNKNOWN, message);
        assert_eq!(text, format!("{message}\n  job ad 1\n      ^^\n"));
    }

    #[test]
    fn word_that_was_read_is_shown_as_its_source() {
        let add = || Word::typed(b"add".to_vec());
        let read = || Word::read(b"secret".to_vec(), "-".into(), "standard input".into());
        let message = "bad value for n: \"secret\": no; usage: add <n>";
        assert_eq!(
            rendered(&[add(), read()], code::USAGE, message),
            "bad value for n: (the word from standard input): no\n  add -\n      ^\nusage: add <n>\n"
        );
        let unknown = [Word::typed(b"ad".to_vec()), read()];
        let message = "no command \"ad\"; did you mean add?";
        assert_eq!(
            rendered(&unknown, code::UNKNOWN, message),
            format!("{message}\n  ad -\n  ^^\n")
        );
        let line = Word::of_line([b"ad".to_vec(), b"secret".to_vec()]);
        let shown = "no command (word 1); did you mean add?\n";
        assert_eq!(rendered(&line, code::UNKNOWN, message), shown);
    }
}
