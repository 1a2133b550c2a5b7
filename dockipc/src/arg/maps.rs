//! Maps, whose words are `KEY=VALUE`.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};

use super::{Arg, Arity, BadValue, BadWord, Truncated};
use crate::wire::words::quote;

macro_rules! maps {
    ($($map:ty, $key:path, $($hasher:ident)?;)*) => {$(
        impl<'r, K: Arg<'r> + $key $(+ Hash, $hasher: BuildHasher + Default)?, V: Arg<'r>> Arg<'r> for $map {
            /// The type of the values.
            const TYPE: &'static str = V::TYPE;
            const ARITY: Arity = match (K::ARITY, V::ARITY) {
                (Arity::One, Arity::One) => Arity::Many,
                _ => Arity::Nested,
            };
            const SECRET: bool = K::SECRET || V::SECRET;
            const IS_MAP: bool = true;
            const RANGE: Option<(&'static str, &'static str)> = V::RANGE;

            fn from_word(word: &'r [u8]) -> Result<Self, BadValue> {
                Ok(Self::from_iter([entry(word)?]))
            }

            fn from_words(
                words: &mut dyn Iterator<Item = &'r [u8]>,
            ) -> Result<Option<Self>, BadWord<'r>> {
                let mut map = Self::default();
                for word in words {
                    let (key, value) = entry(word).map_err(|bad| BadWord { word, bad })?;
                    if map.insert(key, value).is_some() {
                        return Err(BadWord { word, bad: given_twice(word) });
                    }
                }
                Ok(Some(map))
            }

            fn shown(&self) -> Option<String> {
                let mut words = Vec::new();
                for (key, value) in self {
                    words.push(quote(&format!("{}={}", key.shown()?, value.shown()?)).into_owned());
                }
                // The order of a hash map changes from one run to the next.
                words.sort();
                Some(words.join(" "))
            }
        }
    )*};
}

maps! {
    BTreeMap<K, V>, Ord, ;
    HashMap<K, V, S>, Eq, S;
}

/// Parses `KEY=VALUE`. The first `=` ends the key.
fn entry<'r, K: Arg<'r>, V: Arg<'r>>(word: &'r [u8]) -> Result<(K, V), BadValue> {
    let at = end_of_key(word).ok_or_else(|| BadValue::new("expected KEY=VALUE"))?;
    let bad_key =
        |bad: BadValue| BadValue { reason: format!("invalid key: {}", bad.reason), ..bad };
    Ok((K::from_word(&word[..at]).map_err(bad_key)?, V::from_word(&word[at + 1..])?))
}

fn end_of_key(word: &[u8]) -> Option<usize> {
    word.iter().position(|&byte| byte == b'=')
}

#[cold]
fn given_twice(word: &[u8]) -> BadValue {
    let key = &word[..end_of_key(word).unwrap_or(word.len())];
    BadValue::new(format_args!("the key {} is given twice: give it once", Truncated(key)))
}
