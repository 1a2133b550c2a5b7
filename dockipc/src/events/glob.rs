//! The patterns of `PSUBSCRIBE`, which are those of Redis.

/// Returns whether a name matches a pattern: `*` stands for any bytes, `?` for one, `[a-z]` for one of a set,
/// `[^a-z]` for one that is not in it, and a `\` takes the next byte literally.
///
/// One place to resume at is enough, since the last `*` can take what an earlier one would: the time is at most
/// the product of both lengths.
pub(super) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut next) = (0, 0);
    // Where matching resumes when the last `*` has to take one more byte.
    let mut retry = None;
    while next < name.len() {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            retry = Some((at, next));
            continue;
        }
        if let Some(length) = one(&pattern[at..], name[next]) {
            (at, next) = (at + length, next + 1);
            continue;
        }
        let Some((after, taken)) = retry else { return false };
        (at, next) = (after, taken + 1);
        retry = Some((after, next));
    }
    pattern[at..].iter().all(|&b| b == b'*')
}

/// Returns whether a pattern matches a name that a rule matches, in which `*` stands for any bytes and `?` for one. The
/// time is at most the product of both lengths.
pub(super) fn meets(pattern: &[u8], rule: &[u8]) -> bool {
    // The places in the pattern up to which both can match the same bytes.
    let mut reached = vec![false; pattern.len() + 1];
    reached[0] = true;
    pass(pattern, &mut reached, false);
    for byte in rule {
        if *byte == b'*' {
            pass(pattern, &mut reached, true);
            continue;
        }
        let mut next = vec![false; reached.len()];
        for at in (0..pattern.len()).filter(|at| reached[*at]) {
            let rest = &pattern[at..];
            let length = match (rest[0], byte) {
                (b'*', _) => Some(0),
                (_, b'?') => Some(length(rest)),
                _ => one(rest, byte.to_ascii_lowercase()),
            };
            if let Some(length) = length {
                next[at + length] = true;
            }
        }
        pass(pattern, &mut next, false);
        reached = next;
    }
    reached[pattern.len()]
}

/// Adds the places behind each `*`, which may match no byte, or those behind any element.
fn pass(pattern: &[u8], reached: &mut [bool], any: bool) {
    for at in 0..pattern.len() {
        if reached[at] && (any || pattern[at] == b'*') {
            reached[at + length(&pattern[at..])] = true;
        }
    }
}

/// Returns the length of the first element of a pattern.
fn length(pattern: &[u8]) -> usize {
    match pattern {
        [b'\\', _, ..] => 2,
        [b'[', ..] => set(pattern, 0).0,
        _ => 1,
    }
}

/// Returns the length of the first element of a pattern if it matches a byte.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match *pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => (escaped == byte).then_some(2),
        [b'[', ..] => {
            let (length, matches) = set(pattern, byte);
            matches.then_some(length)
        }
        [first, ..] => (first == byte).then_some(1),
    }
}

/// Returns the length of a set, and whether a byte is in it. A set without an end goes to the end of the pattern.
fn set(pattern: &[u8], byte: u8) -> (usize, bool) {
    let is_negated = pattern.get(1) == Some(&b'^');
    let mut at = 1 + usize::from(is_negated);
    let mut is_in = false;
    loop {
        match pattern[at..] {
            [] => break,
            [b'\\', escaped, ..] => {
                is_in |= escaped == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [from, b'-', to, ..] => {
                is_in |= (from.min(to)..=from.max(to)).contains(&byte);
                at += 3;
            }
            [one, ..] => {
                is_in |= one == byte;
                at += 1;
            }
        }
    }
    (at, is_in != is_negated)
}

#[cfg(test)]
mod tests {
    use super::{matches, meets};

    #[test]
    fn pattern_matches_as_in_redis() {
        for (pattern, name, expected) in [
            ("jobs.*", "jobs.done", true),
            ("jobs.*", "jobs.", true),
            ("jobs.*", "jobs", false),
            ("*", "", true),
            ("**", "anything", true),
            ("", "", true),
            ("", "a", false),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("h[a-c]llo", "hdllo", false),
            ("h[ab", "ha", true),
            ("h[ab", "hc", false),
            (r"h[\]]", "h]", true),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            (r"a\", r"a\", true),
            ("[]a", "a", false),
            ("*a*b", "xaxbxb", true),
            ("*a*b", "xaxbx", false),
            ("a*b*c", "abbcc", true),
            ("Jobs.*", "jobs.done", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn pattern_meets_a_rule_if_one_name_matches_both() {
        for (pattern, rule, expected) in [
            ("jobs.*", "jobs.*", true),
            ("*", "jobs.done", true),
            ("job?.x", "jobs.*", true),
            ("job[a-s].*", "jobs.done", true),
            ("job[^s].*", "jobs.done", false),
            (r"\jobs.*", "JOBS.?one", true),
            ("*.x", "jobs.*", true),
            ("*x*", "a*b", true),
            ("a*b", "*c", false),
            ("a*c*", "a?", true),
            ("a?c*", "a?", false),
            ("disk*", "jobs.*", false),
            ("", "*", true),
            ("", "", true),
            ("", "?", false),
            ("*", "", true),
            ("[", "?", true),
            (r"\*", "b*", false),
        ] {
            let meets = meets(pattern.as_bytes(), rule.as_bytes());
            assert_eq!(meets, expected, "{pattern} {rule}");
        }
    }

    #[test]
    fn many_stars_take_little_time() {
        let pattern = "*a".repeat(120) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(255).as_bytes()));
    }
}
