//! Values that nobody should read by accident.

use std::fmt;

/// A value that prints as `…`: a password, a key.
///
/// As a parameter of a command it is one with `#[arg(secret)]`: no error, help or audit record of
/// dockipc's shows what was sent.
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
/// With the feature `zeroize` the value is overwritten when it is dropped. So is everything that the
/// daemon reads, secret or not, once it has been used: whole commands, commands of which the rest never
/// comes, tokens, and the arguments of a completion. The same holds for what a
/// [`Call`](crate::client::Call) or [`Pipeline`](crate::client::Pipeline) sends, and for the token of a
/// [`Client`](crate::Client). Without the feature memory is freed as it is.
///
/// These are not overwritten:
///
/// - copies that your code makes, and those that a `String` or `Vec` of yours leaves when it grows;
/// - registers and the stack, through which a number or a `char` passes while it is parsed;
/// - answers, and the text of errors, which may quote the name of an unknown command;
/// - the token of a running server, until the server is dropped;
/// - the kernel's buffers, swap space, and a core dump of the process.
///
/// It can't be cloned or compared by accident either. To compare one with what somebody guessed, use a
/// comparison whose time does not depend on where they differ.
pub struct Secret<T: Wipe>(T);

/// What can be overwritten, so that it can be in a [`Secret`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be overwritten, so it can't be in a `Secret`",
    note = "text and bytes are `String` and `Vec<u8>`; for a type of yours write `impl dockipc::secret::Wipe`",
    note = "for any other parameter `#[arg(secret)]` keeps the value out of messages"
)]
pub trait Wipe {
    /// Overwrites the value. Called when the [`Secret`] is dropped.
    ///
    /// For dockipc's own types this does nothing without the feature `zeroize`.
    fn wipe(&mut self);
}

impl<T: Wipe> Secret<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Wipe> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Wipe> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.wipe();
    }
}

impl<T: Wipe> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl<T: Wipe> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// What stands for a value that is not shown.
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
