//! "Did you mean": the answer to a name that no command has.

use super::Table;
use crate::access::Credentials;
use crate::arg::Shown;
use crate::error::{Failure, code};

impl Table {
    /// The answer to a name that no command has. It suggests only what the caller may see.
    #[cold]
    pub(crate) fn unknown(&self, caller: &Credentials<'_>, name: &[u8]) -> Failure {
        let lower = String::from_utf8_lossy(name).to_ascii_lowercase();
        let near = |other: &str| (distance(&lower, other), other.to_owned());
        let nearest = self.visible(caller).into_iter().map(|entry| near(&entry.name)).min();
        let hint = match nearest {
            Some((d, other)) if d <= (lower.chars().count() / 3).max(1) => {
                format!("did you mean {other}?")
            }
            _ => "send help for a list".into(),
        };
        Failure::new(code::UNKNOWN, format_args!("no command {}; {hint}", Shown(name)))
    }
}

/// How many characters must be put in, taken out, changed or swapped with their neighbour to make
/// one word of the other (the distance of Damerau and Levenshtein, neighbours swapped once).
pub(crate) fn distance(a: &str, b: &str) -> usize {
    // A name has at most 64 bytes; nothing is near a longer word.
    let a: Vec<char> = a.chars().take(80).collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut least = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    least = least.min(rows[i - 2][j - 2] + 1);
                }
                least
            };
        }
    }
    rows[a.len()][b.len()]
}
