//! The types that implement [`Arg`].

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use super::{Arg, Arity, BadValue, BadWord};
use crate::error::code;
use crate::secret::{Secret, Wipe};
use crate::text::{Integer, time};

pub(super) fn text(word: &[u8]) -> Result<&str, BadValue> {
    std::str::from_utf8(word).map_err(|e| BadValue {
        code: code::UTF8,
        reason: format!("not UTF-8 at byte {}", e.valid_up_to()),
    })
}

/// Returns the error for a word that names no variant of a derived enum.
#[doc(hidden)]
pub fn no_choice(choices: &[&str]) -> BadValue {
    BadValue::new(format_args!("expected one of {}", choices.join(", ")))
}

/// Returns whether a word is one of these, without regard to ASCII case.
#[doc(hidden)]
pub fn is_one_of(word: &[u8], words: &[&str]) -> bool {
    words.iter().any(|other| word.eq_ignore_ascii_case(other.as_bytes()))
}

impl<'r> Arg<'r> for &'r str {
    const TYPE: &'static str = "text";

    fn from_word(word: &'r [u8]) -> Result<Self, BadValue> {
        text(word)
    }

    fn shown(&self) -> Option<String> {
        Some((*self).to_owned())
    }
}

impl<'r> Arg<'r> for &'r [u8] {
    const TYPE: &'static str = "bytes";

    fn from_word(word: &'r [u8]) -> Result<Self, BadValue> {
        Ok(word)
    }

    fn shown(&self) -> Option<String> {
        Some(String::from_utf8_lossy(self).into_owned())
    }
}

impl<'r> Arg<'r> for &'r OsStr {
    const TYPE: &'static str = "text";

    fn from_word(word: &'r [u8]) -> Result<Self, BadValue> {
        Ok(OsStr::from_bytes(word))
    }

    fn shown(&self) -> Option<String> {
        Some(self.to_string_lossy().into_owned())
    }
}

impl Arg<'_> for OsString {
    const TYPE: &'static str = "text";

    fn from_word(word: &[u8]) -> Result<Self, BadValue> {
        Ok(Self::from_vec(word.to_vec()))
    }

    fn shown(&self) -> Option<String> {
        Some(self.to_string_lossy().into_owned())
    }
}

impl<'r> Arg<'r> for &'r Path {
    const TYPE: &'static str = "path";

    fn from_word(word: &'r [u8]) -> Result<Self, BadValue> {
        if word.contains(&0) {
            return Err(BadValue::new("a path can't contain a NUL byte"));
        }
        Ok(Path::new(OsStr::from_bytes(word)))
    }

    fn shown(&self) -> Option<String> {
        Some(self.to_string_lossy().into_owned())
    }
}

impl Arg<'_> for PathBuf {
    const TYPE: &'static str = "path";

    fn from_word(word: &[u8]) -> Result<Self, BadValue> {
        <&Path>::from_word(word).map(Path::to_path_buf)
    }

    fn shown(&self) -> Option<String> {
        Some(self.to_string_lossy().into_owned())
    }
}

impl Arg<'_> for bool {
    const TYPE: &'static str = "boolean";
    const CHOICES: &'static [&'static str] = &["true", "false"];

    /// Also accepts `yes`, `on`, `1` and `no`, `off`, `0`.
    fn from_word(word: &[u8]) -> Result<Self, BadValue> {
        match word {
            b"true" | b"yes" | b"on" | b"1" => Ok(true),
            b"false" | b"no" | b"off" | b"0" => Ok(false),
            _ => Err(BadValue::new("expected true or false")),
        }
    }

    fn shown(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Arg<'_> for char {
    const TYPE: &'static str = "character";

    fn from_word(word: &[u8]) -> Result<Self, BadValue> {
        let mut chars = text(word)?.chars();
        match (chars.next(), chars.next()) {
            (Some(char), None) => Ok(char),
            _ => Err(BadValue::new("expected one character")),
        }
    }

    fn shown(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Arg<'_> for Duration {
    const TYPE: &'static str = "duration";

    fn from_word(word: &[u8]) -> Result<Self, BadValue> {
        time::duration(text(word)?)
            .ok_or_else(|| BadValue::new("expected a duration such as 200ms, 1.5s, 3m or 1h30m"))
    }

    fn shown(&self) -> Option<String> {
        // The units are those that are parsed, such as `1.5s`.
        Some(time::units(*self))
    }
}

impl Arg<'_> for SystemTime {
    const TYPE: &'static str = "time";

    fn from_word(word: &[u8]) -> Result<Self, BadValue> {
        time::parse(text(word)?)
            .ok_or_else(|| BadValue::new("expected a time such as 2026-01-31T23:59:59Z"))
    }
}

/// Parses an integer of a few digits alone, as most are. It takes half of the instructions of `parse`, which
/// has to look for a sign and for too large a number, and reads only text.
#[inline]
fn digits(word: &[u8]) -> Option<u64> {
    // The largest of 18 digits fits.
    if word.is_empty() || word.len() > 18 {
        return None;
    }
    word.iter().try_fold(0, |value, byte| match byte {
        b'0'..=b'9' => Some(value * 10 + u64::from(byte - b'0')),
        _ => None,
    })
}

#[inline(never)]
fn by_text<T: FromStr>(word: &[u8], range: (&str, &str)) -> Result<T, BadValue> {
    text(word)?.parse().map_err(|_| not_in(range, ""))
}

#[cold]
fn not_in((min, max): (&str, &str), except: &str) -> BadValue {
    BadValue::new(format_args!("expected an integer from {min} to {max}{except}"))
}

macro_rules! integers {
    ($($int:ty $({ $($more:tt)* })?)*) => {$(
        impl<'r> Arg<'r> for $int {
            const TYPE: &'static str = "integer";
            const RANGE: Option<(&'static str, &'static str)> = Some(<Self as Integer>::RANGE);

            #[inline]
            fn from_word(word: &'r [u8]) -> Result<Self, BadValue> {
                match digits(word).and_then(|value| value.try_into().ok()) {
                    Some(value) => Ok(value),
                    None => by_text(word, <Self as Integer>::RANGE),
                }
            }

            fn shown(&self) -> Option<String> {
                Some(self.to_string())
            }

            $($($more)*)?
        }
    )*};
}

integers! {
    u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize
    u8 {
        const LIST: Arity = Arity::One;

        fn list_from_words(
            words: &mut dyn Iterator<Item = &'r [u8]>,
        ) -> Result<Option<Vec<u8>>, BadWord<'r>> {
            Ok(words.next().map(<[u8]>::to_vec))
        }

        fn list_shown(items: &[u8]) -> Option<String> {
            <&[u8]>::shown(&items)
        }
    }
}

macro_rules! nonzero {
    ($($int:ident)*) => {$(
        impl Arg<'_> for std::num::$int {
            const TYPE: &'static str = "integer";
            const RANGE: Option<(&'static str, &'static str)> = Some(<Self as Integer>::RANGE);

            fn from_word(word: &[u8]) -> Result<Self, BadValue> {
                text(word)?.parse().map_err(|_| not_in(<Self as Integer>::RANGE, ", not 0"))
            }

            fn shown(&self) -> Option<String> {
                Some(self.to_string())
            }
        }
    )*};
}

nonzero! {
    NonZeroU8 NonZeroU16 NonZeroU32 NonZeroU64 NonZeroU128 NonZeroUsize
    NonZeroI8 NonZeroI16 NonZeroI32 NonZeroI64 NonZeroI128 NonZeroIsize
}

// The messages of std's errors change between compiler versions and give no example.
macro_rules! by_from_str {
    ($($ty:ty: $what:literal, $such_as:literal;)*) => {$(
        impl Arg<'_> for $ty {
            const TYPE: &'static str = $what;

            fn from_word(word: &[u8]) -> Result<Self, BadValue> {
                text(word)?.parse().map_err(|_| BadValue::new(concat!("expected ", $such_as)))
            }

            fn shown(&self) -> Option<String> {
                Some(self.to_string())
            }
        }
    )*};
}

by_from_str! {
    String: "text", "text";
    f32: "number", "a number such as 1.5";
    f64: "number", "a number such as 1.5";
    std::net::IpAddr: "address", "an address such as 127.0.0.1 or ::1";
    std::net::Ipv4Addr: "address", "an address such as 127.0.0.1";
    std::net::Ipv6Addr: "address", "an address such as ::1";
    std::net::SocketAddr: "address", "an address and a port such as 127.0.0.1:80 or [::1]:80";
    std::net::SocketAddrV4: "address", "an address and a port such as 127.0.0.1:80";
    std::net::SocketAddrV6: "address", "an address and a port such as [::1]:80";
}

impl<'r, T: Arg<'r>> Arg<'r> for Option<T> {
    const TYPE: &'static str = T::TYPE;
    const CHOICES: &'static [&'static str] = T::CHOICES;
    const ALIASES: &'static [(&'static str, &'static str)] = T::ALIASES;
    const ARITY: Arity = T::ARITY.with(Arity::Optional);
    const SECRET: bool = T::SECRET;
    const RANGE: Option<(&'static str, &'static str)> = T::RANGE;
    const SCHEMA: Option<fn() -> String> = T::SCHEMA;

    fn from_word(word: &'r [u8]) -> Result<Self, BadValue> {
        T::from_word(word).map(Some)
    }

    fn from_nothing() -> Option<Self> {
        Some(None)
    }
}

impl<'r, T: Arg<'r>> Arg<'r> for Vec<T> {
    const TYPE: &'static str = match T::LIST {
        Arity::One => "bytes",
        _ => T::TYPE,
    };
    const CHOICES: &'static [&'static str] = T::CHOICES;
    const ALIASES: &'static [(&'static str, &'static str)] = T::ALIASES;
    const ARITY: Arity = T::ARITY.with(T::LIST);
    const SECRET: bool = T::SECRET;
    const RANGE: Option<(&'static str, &'static str)> = match T::LIST {
        Arity::One => None,
        _ => T::RANGE,
    };
    const SCHEMA: Option<fn() -> String> = T::SCHEMA;

    fn from_word(word: &'r [u8]) -> Result<Self, BadValue> {
        match T::list_from_words(&mut std::iter::once(word)) {
            Ok(list) => Ok(list.unwrap_or_default()),
            Err(BadWord { bad, .. }) => Err(bad),
        }
    }

    fn from_words(words: &mut dyn Iterator<Item = &'r [u8]>) -> Result<Option<Self>, BadWord<'r>> {
        T::list_from_words(words)
    }

    fn shown(&self) -> Option<String> {
        T::list_shown(self)
    }
}

impl<'r, T: Arg<'r> + Wipe> Arg<'r> for Secret<T> {
    const TYPE: &'static str = T::TYPE;
    const CHOICES: &'static [&'static str] = T::CHOICES;
    const ALIASES: &'static [(&'static str, &'static str)] = T::ALIASES;
    const ARITY: Arity = T::ARITY;
    const SECRET: bool = true;
    const RANGE: Option<(&'static str, &'static str)> = T::RANGE;
    const SCHEMA: Option<fn() -> String> = T::SCHEMA;

    fn from_word(word: &'r [u8]) -> Result<Self, BadValue> {
        T::from_word(word).map(Self::new)
    }
}
