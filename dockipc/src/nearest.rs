//! Suggests a name for a mistyped word.
//!
//! The work for a word is bounded, whatever its length and the number of names: names of a very
//! different length are skipped, a comparison stops when the distance is too large, and the search
//! stops after [`MAX_STEPS`] steps.

/// The longest name that is compared. A command's name has at most 64 bytes.
const MAX_LEN: usize = 64;

/// The largest edit distance between a word and a suggested name.
const MAX_DISTANCE: usize = 4;

/// Maximum number of steps for one word, each of a few nanoseconds.
const MAX_STEPS: usize = 1 << 17;

/// Returns the nearest of the names within an edit distance of `most`, and never more than four. An
/// edit inserts, deletes or replaces a byte, or swaps two adjacent ones.
pub(crate) fn nearest<N: AsRef<str>>(
    word: &[u8],
    names: impl Iterator<Item = N>,
    most: usize,
) -> Option<N> {
    search(word, names, most).0
}

/// Does the work of [`nearest`], and also returns the number of steps.
fn search<N: AsRef<str>>(
    word: &[u8],
    names: impl Iterator<Item = N>,
    most: usize,
) -> (Option<N>, usize) {
    let (mut best, mut steps): (Option<(usize, N)>, _) = (None, 0);
    for name in names {
        if steps >= MAX_STEPS {
            break;
        }
        let most = best.as_ref().map_or(most.min(MAX_DISTANCE), |(changes, _)| *changes);
        let text = name.as_ref();
        let Some(changes) = distance(word, text.as_bytes(), most, &mut steps) else {
            continue;
        };
        if best.as_ref().is_none_or(|(least, other)| (changes, text) < (*least, other.as_ref())) {
            best = Some((changes, name));
        }
    }
    (best.map(|(_, name)| name), steps)
}

/// Returns the Damerau–Levenshtein distance (optimal string alignment), if it is at most `most`.
/// Computes only the cells of the table within `most` of the diagonal.
fn distance(word: &[u8], name: &[u8], most: usize, steps: &mut usize) -> Option<usize> {
    const FAR: usize = usize::MAX / 2;
    if name.len() > MAX_LEN || word.len().abs_diff(name.len()) > most {
        return None;
    }
    // The rows of the current byte of the word, the previous one, and the one before that.
    let (mut row, mut last, mut before) =
        ([0; MAX_LEN + 1], [FAR; MAX_LEN + 1], [FAR; MAX_LEN + 1]);
    let mut least = [FAR; 2];
    for i in 0..=word.len() {
        let (from, to) = (i.saturating_sub(most), name.len().min(i + most));
        row.fill(FAR);
        for j in from..=to {
            row[j] = match (i, j) {
                (0, _) | (_, 0) => i + j,
                _ => {
                    let changed = last[j - 1] + usize::from(word[i - 1] != name[j - 1]);
                    let mut least = changed.min(last[j] + 1).min(row[j - 1] + 1);
                    if i > 1 && j > 1 && word[i - 1] == name[j - 2] && word[i - 2] == name[j - 1] {
                        least = least.min(before[j - 2] + 1);
                    }
                    least
                }
            };
        }
        *steps += to - from + 1;
        least = [least[1], row[from..=to].iter().copied().min().unwrap_or(FAR)];
        if least.iter().all(|least| *least > most) && i > 0 {
            return None;
        }
        (row, last, before) = (before, row, last);
    }
    Some(last[name.len()]).filter(|changes| *changes <= most)
}

#[cfg(test)]
mod tests {
    use super::{MAX_DISTANCE, MAX_LEN, MAX_STEPS, nearest, search};
    use crate::fuzzing::dice::Dice;

    #[test]
    fn nearest_name_is_suggested() {
        let names = ["add", "cat", "hello", "help", "show", "remove-all-the-jobs"];
        for (word, most, expected) in [
            ("ad", 1, Some("add")),
            ("hlep", 1, Some("help")),
            ("helo", 1, Some("hello")),
            ("shwo", 1, Some("show")),
            ("", 3, Some("add")),
            ("a", 2, Some("add")),
            ("rmove-al-the-jbs", 5, Some("remove-all-the-jobs")),
            ("remove-jobs", 9, None),
            ("xyz", 1, None),
            ("add", 0, Some("add")),
            ("\u{e4}dd", 2, Some("add")),
        ] {
            assert_eq!(nearest(word.as_bytes(), names.into_iter(), most), expected, "{word}");
        }
    }

    /// Computes the whole table, by its definition.
    fn whole(a: &[u8], b: &[u8]) -> usize {
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

    #[test]
    fn banded_distance_equals_the_full_table() {
        let mut dice = Dice(1);
        let mut near = 0;
        for _ in 0..20_000 {
            let name = dice.list(12, |dice| dice.one(b"abc"));
            let word = if dice.below(2) == 0 { dice.changed(name.clone()) } else { dice.noise(12) };
            let most = dice.below(MAX_DISTANCE + 1);
            let expected = Some(whole(&word, &name)).filter(|changes| *changes <= most);
            let found = super::distance(&word, &name, most, &mut 0);
            assert_eq!(found, expected, "{} {}", word.escape_ascii(), name.escape_ascii());
            near += usize::from(found.is_some());
        }
        assert!(near > 1000);
    }

    #[test]
    fn work_for_a_word_is_bounded() {
        let name = |i: usize| format!("{}{i:04}", "a".repeat(MAX_LEN - 4));
        let most = MAX_STEPS + (MAX_LEN + MAX_DISTANCE + 1) * (2 * MAX_DISTANCE + 1);
        for count in [2000, 100_000] {
            for word in ["a".repeat(80), "a".repeat(MAX_LEN), "ab".repeat(32), "a".repeat(1 << 20)]
            {
                let (_, steps) = search(word.as_bytes(), (0..count).map(name), usize::MAX);
                assert!(steps <= most, "{steps} steps for {} bytes", word.len());
            }
        }
        let (found, steps) = search(&[b'x'; 80], (0..2000).map(name), usize::MAX);
        assert_eq!((found, steps), (None, 0), "no name is as long");
    }
}
