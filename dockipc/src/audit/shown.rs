//! Formats a word for a record.

use crate::text::append;

/// The most bytes of a word that are shown.
const LONGEST: usize = 256;

/// The mark of a truncated word. It is unambiguous, since it is escaped where a client sent it.
const LEFT_OUT: char = '…';

/// Returns a word as text without control characters, truncated if it is long.
pub(super) fn shown(word: &[u8]) -> String {
    let cut = word.len() > LONGEST;
    let mut text = String::with_capacity(word.len().min(LONGEST));
    let whole = &word[..if cut { end(word) } else { word.len() }];
    for chunk in whole.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '"' | '\'' => text.push(char),
                LEFT_OUT => append(&mut text, format_args!("{}", char.escape_unicode())),
                _ => append(&mut text, format_args!("{}", char.escape_debug())),
            }
        }
        for byte in chunk.invalid() {
            append(&mut text, format_args!("\\x{byte:02x}"));
        }
    }
    if cut {
        text.push(LEFT_OUT);
    }
    text
}

/// Returns the position where a long word is cut, which is not inside a character.
fn end(word: &[u8]) -> usize {
    let is_inside = |at: &usize| word[*at] & 0b1100_0000 == 0b1000_0000;
    // A character has at most three continuation bytes; longer runs are not UTF-8.
    (LONGEST - 3..=LONGEST).rev().find(|at| !is_inside(at)).unwrap_or(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn word_is_shown_unambiguously() {
        let cases: [(&[u8], &str); 9] = [
            (b"", ""),
            (b"plain text, 'quoted' \"twice\"", "plain text, 'quoted' \"twice\""),
            (b"a\nb\r\tc\0", r"a\nb\r\tc\0"),
            (br"a\nb", r"a\\nb"),
            (b"\x1b[31m\x7f", r"\u{1b}[31m\u{7f}"),
            ("ä🦀\u{2028}\u{202e}\u{85}".as_bytes(), r"ä🦀\u{2028}\u{202e}\u{85}"),
            ("…".as_bytes(), r"\u{2026}"),
            (b"a\xff\xc3", r"a\xff\xc3"),
            (b"\xed\xa0\x80", r"\xed\xa0\x80"),
        ];
        for (word, text) in cases {
            assert_eq!(shown(word), text);
        }
    }

    #[test]
    fn long_word_is_cut_between_characters() {
        assert_eq!(shown(&[b'a'; 256]), "a".repeat(256));
        assert_eq!(shown(&[b'a'; 257]), "a".repeat(256) + "…");
        let crabs = "🦀".repeat(100);
        assert_eq!(shown(crabs.as_bytes()), "🦀".repeat(64) + "…");
        assert_eq!(shown(format!("a{crabs}").as_bytes()), format!("a{}…", "🦀".repeat(63)));
        assert_eq!(shown(&[0x80; 300]), r"\x80".repeat(256) + "…");
    }
}
