//! [`Secret`], values that must not be shown by accident.

use std::fmt;

/// A value that prints as `…`: a password, a key.
///
/// A parameter of this type is treated as `#[arg(secret)]`: no error, help or audit record of dockipc
/// shows the value.
///
/// ```standalone_crate
/// use dockipc::{Secret, command};
///
/// /// Open the vault.
/// #[command("unlock")]
/// fn unlock(password: Secret<String>) -> Result<(), &'static str> {
///     println!("{password} was sent");
///     if password.expose() == "swordfish" { Ok(()) } else { Err("no") }
/// }
/// # let daemon = dockipc::Server::new().spawn_in_process()?;
/// # daemon.client().command("unlock").arg(Secret::new("swordfish".to_owned())).call::<()>()?;
/// # Ok::<(), dockipc::Error>(())
/// ```
///
/// With the feature `zeroize`, the value is overwritten when it is dropped. So is everything that the
/// daemon reads, secret or not, once it has been used: whole and incomplete commands, tokens, and the
/// arguments of a completion. The same holds for the bytes that a [`Call`](crate::client::Call) or
/// [`Pipeline`](crate::client::Pipeline) sends, and for the token of a [`Client`](crate::Client). Without
/// the feature, memory is freed without being overwritten.
///
/// These are not overwritten:
///
/// - copies that your code makes, and copies that your `String` or `Vec` leaves behind when it grows;
/// - registers and the stack, through which a number or a `char` passes while it is parsed;
/// - answers, and the text of errors, which may quote the name of an unknown command;
/// - the token of a running server, until the server is dropped;
/// - the kernel's buffers, swap space, and a core dump of the process.
///
/// It can't be cloned or compared by accident. Compare it with a guess in constant time.
// No bound, so that the compiler reports a type that cannot be overwritten once, where it is parsed or wrapped.
pub struct Secret<T> {
    value: T,
    wipe: fn(&mut T),
}

/// A type that can be overwritten, so that a [`Secret`] can contain it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be overwritten, so it can't be in a `Secret`",
    note = "use `String` for text and `Vec<u8>` for bytes; for your own type, write `impl dockipc::secret::Wipe`",
    note = "`#[arg(secret)]` keeps the value of any other parameter out of messages"
)]
pub trait Wipe {
    /// Overwrites the value. Called when the [`Secret`] is dropped.
    ///
    /// The implementations in dockipc do nothing without the feature `zeroize`.
    fn wipe(&mut self);
}

impl<T: Wipe> Secret<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Self { value, wipe: T::wipe }
    }
}

impl<T> Secret<T> {
    /// Returns the value.
    pub fn expose(&self) -> &T {
        &self.value
    }
}

impl<T: Wipe> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T> Drop for Secret<T> {
    fn drop(&mut self) {
        (self.wipe)(&mut self.value);
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// The text shown instead of a secret.
pub(crate) const HIDDEN: &str = "…";

macro_rules! wiped {
    ($($ty:ty)*) => {$(
        impl Wipe for $ty {
            fn wipe(&mut self) {
                #[cfg(feature = "zeroize")]
                zeroize::Zeroize::zeroize(self);
            }
        }
    )*};
}

wiped! { String Vec<u8> u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 bool char }
