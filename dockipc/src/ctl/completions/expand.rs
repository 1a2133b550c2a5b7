//! Expansion of an unfinished command line, as the shell will expand it.

use std::env;

/// Replaces variables and, at the start of a word or of an assigned value, a `~` by their values,
/// quoted. An unset variable and a command substitution stay as they are.
pub(super) fn expand(line: &str) -> String {
    let (mut expanded, mut rest) = (String::new(), line);
    // The open quote.
    let mut quote = None;
    let mut word_start = 0;
    while let Some(char) = rest.chars().next() {
        let after = &rest[char.len_utf8()..];
        let word = &line[word_start..line.len() - rest.len()];
        let starts_value = || word.is_empty() || word.strip_suffix('=').is_some_and(is_name);
        let found = match (char, quote) {
            ('$', None | Some('"')) => variable(after),
            ('~', None) if after.starts_with('/') && starts_value() => {
                env::home_dir().and_then(|home| Some((home.to_str()?.to_owned(), after)))
            }
            _ => None,
        };
        if quote.is_none() && char.is_ascii_whitespace() {
            word_start = line.len() - after.len();
        }
        if let Some((value, after)) = found {
            // Single quotes work within double quotes if those are closed before.
            let close = if quote.is_some() { "\"" } else { "" };
            expanded += &format!("{close}'{}'{close}", value.replace('\'', r"'\''"));
            rest = after;
            continue;
        }
        // A quoted character is copied together with its backslash.
        let length = match (char, quote) {
            ('\\', None | Some('"')) => 1 + after.chars().next().map_or(0, char::len_utf8),
            _ => char.len_utf8(),
        };
        quote = match (char, quote) {
            ('\'' | '"', None) => Some(char),
            (_, Some(open)) if char == open => None,
            _ => quote,
        };
        expanded += &rest[..length];
        rest = &rest[length..];
    }
    expanded
}

/// Returns the value of the variable after a `$`, and the text behind its name. Returns `None` if
/// there is no such variable.
fn variable(text: &str) -> Option<(String, &str)> {
    let braced = text.strip_prefix('{');
    let text = braced.unwrap_or(text);
    let (name, after) = text.split_at(name_len(text));
    let after = if braced.is_some() { after.strip_prefix('}')? } else { after };
    Some((env::var(name).ok()?, after))
}

/// Returns the length of the variable's name at the start of a text; 0 if there is none.
fn name_len(text: &str) -> usize {
    let is_part = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let starts_name = !text.starts_with(|char: char| char.is_ascii_digit());
    text.bytes().take_while(|b| starts_name && is_part(b)).count()
}

/// Returns whether a text is a variable's name.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && name_len(text) == text.len()
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn variables_and_tilde_are_expanded() {
        let home = std::env::home_dir().unwrap().display().to_string();
        let package = env!("CARGO_PKG_NAME");
        let cases = [
            ("dockipc ~/a", format!("dockipc '{home}'/a")),
            ("A=~/a --b=~/c", format!("A='{home}'/a --b=~/c")),
            ("~", "~".into()),
            ("a~/b '~/c' \"~/d\" \\~/e", "a~/b '~/c' \"~/d\" \\~/e".into()),
            ("$CARGO_PKG_NAME/x", format!("'{package}'/x")),
            ("${CARGO_PKG_NAME}x", format!("'{package}'x")),
            ("\"$CARGO_PKG_NAME/x", format!("\"\"'{package}'\"/x")),
            ("'$CARGO_PKG_NAME' \\$CARGO_PKG_NAME", "'$CARGO_PKG_NAME' \\$CARGO_PKG_NAME".into()),
            ("$DOCKIPC_UNSET/x $(id) $1 $", "$DOCKIPC_UNSET/x $(id) $1 $".into()),
            ("\"a\\\"$CARGO_PKG_NAME", format!("\"a\\\"\"'{package}'\"")),
            ("ä\\", "ä\\".into()),
        ];
        for (line, expanded) in cases {
            assert_eq!(expand(line), expanded, "{line}");
        }
    }
}
