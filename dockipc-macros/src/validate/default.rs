//! The check of a literal default that is an integer.
//!
//! The server checks the defaults of every type when it starts. Those of an integer, if its type is
//! written by its own name, are checked when the command is compiled.

use std::num::{
    NonZeroI8, NonZeroI16, NonZeroI32, NonZeroI64, NonZeroI128, NonZeroIsize, NonZeroU8,
    NonZeroU16, NonZeroU32, NonZeroU64, NonZeroU128, NonZeroUsize,
};

use syn::Type;

macro_rules! expected {
    ($name:expr, $word:expr, $($int:ident)*) => {
        match $name {
            $(stringify!($int) => $word.parse::<$int>().is_err().then(|| {
                format!("`{}` is an integer from {} to {}", $name, $int::MIN, $int::MAX)
            }),)*
            _ => None,
        }
    };
}

/// Returns what the type accepts, if it is an integer's and does not accept the word.
pub(super) fn expected(ty: &Type, word: &str) -> Option<String> {
    let Type::Path(path) = ty else { return None };
    let name = path.path.segments.last()?.ident.to_string();
    expected!(
        &*name, word,
        u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize
        NonZeroU8 NonZeroU16 NonZeroU32 NonZeroU64 NonZeroU128 NonZeroUsize
        NonZeroI8 NonZeroI16 NonZeroI32 NonZeroI64 NonZeroI128 NonZeroIsize
    )
}
