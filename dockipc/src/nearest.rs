//! Finds the name that a mistyped word was probably meant to be.
//!
//! The work for one word is bounded, whatever the word and however many names there are: names of
//! another length are skipped, a comparison ends where the two differ too much, and after [`STEPS`]
//! steps the search ends.

/// The longest name that is compared. A command's name has at most 64 bytes.
const LONGEST: usize = 64;

/// The most changes between a word and its name.
const FARTHEST: usize = 4;

/// The most steps for one word, of some nanoseconds each.
const STEPS: usize = 1 << 17;

/// Returns the nearest of the names, with the number of changes that lead to it: at most `most`, and
/// at most four. A change puts a byte in, takes one out, replaces one, or swaps two neighbors.
pub(crate) fn nearest<N: AsRef<str>>(
    word: &[u8],
    names: impl Iterator<Item = N>,
    most: usize,
) -> Option<N> {
    search(word, names, most).0
}

/// Also returns how many steps were taken.
fn search<N: AsRef<str>>(
    word: &[u8],
    names: impl Iterator<Item = N>,
    most: usize,
) -> (Option<N>, usize) {
    let (mut best, mut steps): (Option<(usize, N)>, _) = (None, 0);
    for name in names {
        if steps >= STEPS {
            break;
        }
        let most = best.as_ref().map_or(most.min(FARTHEST), |(changes, _)| *changes);
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

/// The distance of Damerau and Levenshtein, neighbors swapped once, if it is at most `most`. Only the
/// cells that are so near to the diagonal of its table are computed.
fn distance(word: &[u8], name: &[u8], most: usize, steps: &mut usize) -> Option<usize> {
    const FAR: usize = usize::MAX / 2;
    if name.len() > LONGEST || word.len().abs_diff(name.len()) > most {
        return None;
    }
    // The rows of this byte of the word, of the last, and of the one before.
    let (mut row, mut last, mut before) =
        ([0; LONGEST + 1], [FAR; LONGEST + 1], [FAR; LONGEST + 1]);
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
    use super::{FARTHEST, LONGEST, STEPS, nearest, search};
    use crate::fuzzing::dice::Dice;

    #[test]
    fn nearest_name_is_found() {
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

    /// The whole table, as it is defined.
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
    fn distance_equals_the_whole_table() {
        let mut dice = Dice(1);
        let mut near = 0;
        for _ in 0..20_000 {
            let name = dice.list(12, |dice| dice.one(b"abc"));
            let word = if dice.below(2) == 0 { dice.changed(name.clone()) } else { dice.noise(12) };
            let most = dice.below(FARTHEST + 1);
            let expected = Some(whole(&word, &name)).filter(|changes| *changes <= most);
            let found = super::distance(&word, &name, most, &mut 0);
            assert_eq!(found, expected, "{} {}", word.escape_ascii(), name.escape_ascii());
            near += usize::from(found.is_some());
        }
        assert!(near > 1000);
    }

    #[test]
    fn work_for_a_word_is_bounded() {
        let name = |i: usize| format!("{}{i:04}", "a".repeat(LONGEST - 4));
        let most = STEPS + (LONGEST + FARTHEST + 1) * (2 * FARTHEST + 1);
        for count in [2000, 100_000] {
            for word in ["a".repeat(80), "a".repeat(LONGEST), "ab".repeat(32), "a".repeat(1 << 20)]
            {
                let (_, steps) = search(word.as_bytes(), (0..count).map(name), usize::MAX);
                assert!(steps <= most, "{steps} steps for {} bytes", word.len());
            }
        }
        let (found, steps) = search(&[b'x'; 80], (0..2000).map(name), usize::MAX);
        assert_eq!((found, steps), (None, 0), "no name is as long");
    }
}
