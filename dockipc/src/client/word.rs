//! Conversion of values to the arguments of a call.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::secret::Secret;
use crate::text::time;

/// A value that can be sent as an argument of a call.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be sent as an argument of a call",
    note = "arguments can be text, bytes, numbers, bool, char, Duration, SystemTime, paths, addresses, and `Option` of those; for another type send `.to_string()`"
)]
pub trait ToArg {
    /// Whether the argument is a secret, which no message may show.
    #[doc(hidden)]
    const SECRET: bool = false;

    /// Returns the argument's bytes; `None` for a missing value, which sends nothing.
    fn to_arg(&self) -> Option<Cow<'_, [u8]>>;
}

impl<T: ToArg + ?Sized> ToArg for &T {
    const SECRET: bool = T::SECRET;

    fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
        (**self).to_arg()
    }
}

impl<T: ToArg> ToArg for Option<T> {
    const SECRET: bool = T::SECRET;

    fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
        self.as_ref().and_then(T::to_arg)
    }
}

impl ToArg for Duration {
    /// Writes nanoseconds, which is exact.
    fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Owned(format!("{}ns", self.as_nanos()).into_bytes()))
    }
}

impl ToArg for SystemTime {
    fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Owned(time::exact(*self).into_bytes()))
    }
}

macro_rules! to_arg {
    (bytes: $($bytes:ty: $how:ident)*; shown: $($shown:ty)*) => {
        $(impl ToArg for $bytes {
            fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
                Some(Cow::Borrowed(self.$how().as_ref()))
            }
        })*
        $(impl ToArg for $shown {
            fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
                Some(Cow::Owned(self.to_string().into_bytes()))
            }
        })*
    };
}

to_arg! {
    bytes: str: as_bytes String: as_bytes [u8]: as_ref Vec<u8>: as_slice;
    shown: u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 bool char
        std::net::IpAddr std::net::Ipv4Addr std::net::Ipv6Addr std::net::SocketAddr
        std::net::SocketAddrV4 std::net::SocketAddrV6
        std::num::NonZeroU8 std::num::NonZeroU16 std::num::NonZeroU32 std::num::NonZeroU64
        std::num::NonZeroU128 std::num::NonZeroUsize std::num::NonZeroI8 std::num::NonZeroI16
        std::num::NonZeroI32 std::num::NonZeroI64 std::num::NonZeroI128 std::num::NonZeroIsize
}

macro_rules! system_text {
    ($($ty:ty)*) => {$(
        impl ToArg for $ty {
            fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
                Some(Cow::Borrowed(<Self as AsRef<OsStr>>::as_ref(self).as_bytes()))
            }
        }
    )*};
}

system_text! { OsStr OsString Path PathBuf }

impl<T: ToOwned<Owned: ToArg> + ToArg + ?Sized> ToArg for Cow<'_, T> {
    fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
        (**self).to_arg()
    }
}

impl<const N: usize> ToArg for [u8; N] {
    fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Borrowed(self))
    }
}

/// Sends the text of the error for a value that can't be written, which the daemon refuses.
#[cfg(any(feature = "json", feature = "msgpack"))]
fn written<E: std::fmt::Display>(written: Result<Vec<u8>, E>) -> Cow<'static, [u8]> {
    Cow::Owned(written.unwrap_or_else(|error| error.to_string().into_bytes()))
}

#[cfg(feature = "json")]
impl<T: serde::Serialize> ToArg for crate::json::Json<T> {
    fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
        Some(written(serde_json::to_vec(&self.0)))
    }
}

#[cfg(feature = "json-schema")]
impl<T: serde::Serialize> ToArg for crate::json::DescribedJson<T> {
    fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
        Some(written(serde_json::to_vec(&self.0)))
    }
}

#[cfg(feature = "msgpack")]
impl<T: serde::Serialize> ToArg for crate::msgpack::MsgPack<T> {
    fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
        Some(written(rmp_serde::to_vec_named(&self.0)))
    }
}

impl<T: ToArg> ToArg for Secret<T> {
    const SECRET: bool = true;

    fn to_arg(&self) -> Option<Cow<'_, [u8]>> {
        self.expose().to_arg()
    }
}
