//! Splitting a line into words, and quoting.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::wire::check::split;
use crate::wire::words::{Splitter, quote};

fn texts(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

/// One of the ways to write a word on a line.
fn written(word: &str, style: u8) -> String {
    let escaped = |special: fn(char) -> bool| -> String {
        let escape = |c| if special(c) { format!("\\{c}") } else { c.to_string() };
        word.chars().map(escape).collect()
    };
    match style % 4 {
        0 => quote(word).into_owned(),
        1 => format!("\"{}\"", escaped(|c| "\"\\$`".contains(c))),
        2 if !word.is_empty() => escaped(|_| true),
        // Each half in another way.
        _ => {
            let mut middle = word.len() / 2;
            while !word.is_char_boundary(middle) {
                middle -= 1;
            }
            let (left, right) = word.split_at(middle);
            quote(left).into_owned() + &written(right, 1)
        }
    }
}

proptest! {
    #[test]
    fn quoted_words_split_to_the_same_words(
        words in vec(("[^\n]*", any::<u8>(), "[ \t]{1,3}"), 0..6),
        lead in "[ \t]{0,3}",
    ) {
        let mut line = lead;
        for (word, style, blanks) in &words {
            line.push_str(&written(word, *style));
            line.push_str(blanks);
        }
        let expected: Vec<_> = words.iter().map(|(word, ..)| word.as_bytes().to_vec()).collect();
        prop_assert_eq!(split(line.as_bytes()), Ok(expected.clone()));
        // Without the blanks at the end as well.
        prop_assert_eq!(split(quote_end(&line, words.last()).as_bytes()), Ok(expected));
    }

    #[test]
    fn quoted_word_is_one_word(word in "[^\n]*") {
        let quoted = quote(&word);
        prop_assert!(!quoted.is_empty() && !quoted.contains('\n'));
        prop_assert_eq!(split(quoted.as_bytes()), Ok(texts(&[&word])));
    }

    #[test]
    fn splitting_never_panics(line in prop_oneof![
        vec(any::<u8>(), 0..80),
        vec(prop::sample::select(b"'\"\\ \ta$`\xff".to_vec()), 0..30),
    ]) {
        let _ = split(&line);
    }

    #[test]
    fn words_of_utf8_are_utf8(line in "[^\n]{0,40}") {
        for word in split(line.as_bytes()).unwrap_or_default() {
            prop_assert!(String::from_utf8(word).is_ok());
        }
    }

    #[test]
    fn rest_of_a_line_is_unchanged(word in "[^\n]{1,9}", rest in "[^\n \t][^\n]{0,20}") {
        let line = format!(" {}\t {rest}", quote(&word));
        let mut splitter = Splitter::new(line.as_bytes());
        splitter.next(&mut Vec::new()).unwrap().expect("a word");
        prop_assert_eq!(splitter.peek(), rest.as_bytes());
        let span = splitter.rest().expect("a rest");
        prop_assert_eq!(span.of(line.as_bytes(), &[]), rest.as_bytes());
        prop_assert_eq!(splitter.rest(), None);
    }
}

/// The line without the blanks that were put after its last word.
fn quote_end<'l>(line: &'l str, last: Option<&(String, u8, String)>) -> &'l str {
    let blanks = last.map_or(0, |(.., blanks)| blanks.len());
    &line[..line.len() - blanks]
}

#[test]
fn line_is_split_as_a_shell_does() {
    for (line, words) in [
        ("", &[][..]),
        (" \t ", &[]),
        ("a b", &["a", "b"]),
        ("''", &[""]),
        ("\"\"''", &[""]),
        ("a''b", &["ab"]),
        ("'a b'c d", &["a bc", "d"]),
        (r#""a\"b\\c\$d\`e\f""#, &[r#"a"b\c$d`e\f"#]),
        (r"a\ b \'", &["a b", "'"]),
        (r"'a\'b", &[r"a\b"]),
        ("$HOME * ~ `x` #c;|&", &["$HOME", "*", "~", "`x`", "#c;|&"]),
        // Blanks are the space and the tab.
        ("a\rb\u{b}c\u{a0}d", &["a\rb\u{b}c\u{a0}d"]),
    ] {
        assert_eq!(split(line.as_bytes()), Ok(texts(words)), "{line:?}");
    }
}

#[test]
fn unclosed_quote_error_has_its_position() {
    for (line, why) in [
        ("a 'b", "the quote ' at byte 2 is not closed"),
        ("it's", "the quote ' at byte 2 is not closed"),
        ("\"a'b'", "the quote \" at byte 0 is not closed"),
        ("\"a\\", "the quote \" at byte 0 is not closed"),
        ("a \\", "the line ends in a backslash"),
    ] {
        assert_eq!(split(line.as_bytes()).unwrap_err().to_string(), why, "{line:?}");
    }
}

#[test]
fn form_feed_is_not_a_blank() {
    let mut splitter = Splitter::new(b"say \x0c--loud");
    splitter.next(&mut Vec::new()).unwrap().expect("a word");
    assert_eq!(splitter.peek(), b"\x0c--loud");
}
