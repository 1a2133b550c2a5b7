//! Calls of commands that are an enum of the program's, and their words.

#[cfg(feature = "server")]
use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::commands::CommandBuilder;
use super::to_args::Arguments;
use super::{Call, Client};
#[cfg(feature = "server")]
use crate::{commands::from_words, error::Failure, param::FromRequest};

/// An enum whose variants are commands; implemented by `#[derive(Commands)]`.
///
/// The daemon runs such a command, a client [requests](Client::request) it, and a file of settings or a command line
/// has its words:
///
/// ```
/// use dockipc::Commands;
///
/// #[derive(Commands, Debug, PartialEq)]
/// enum Action {
///     /// Focus a window.
///     FocusWindow {
///         #[arg(long)]
///         id: u64,
///     },
///     /// Close the focused window.
///     CloseWindow,
/// }
///
/// let action = Action::from_words(["focus-window", "--id", "7"])?;
/// assert_eq!(action, Action::FocusWindow { id: 7 });
/// assert_eq!(action.to_words(), ["focus-window", "--id", "7"]);
///
/// let error = Action::from_words(["focus-window"]).unwrap_err();
/// assert_eq!(error.message(), "--id is missing; usage: focus-window --id <id>");
/// # Ok::<(), dockipc::Failure>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an enum of commands that can be sent",
    note = "add `#[derive(dockipc::Commands)]` to the enum; the types of its fields are sent by `ToArgs`"
)]
pub trait Commands: Sized {
    /// The first word of the commands' names.
    #[doc(hidden)]
    const PREFIX: Option<&'static str>;

    /// Returns the name of the variant.
    #[doc(hidden)]
    fn name(&self) -> &'static str;

    /// Adds the values of the fields to a call.
    #[doc(hidden)]
    fn send(&self, arguments: &mut Arguments<'_>);

    /// Parses words as the daemon does: the name of a variant, and its parameters. A `prefix` of the enum is not one of
    /// them.
    ///
    /// # Errors
    /// The failure that the daemon would answer, with the usage of the command.
    #[cfg(feature = "server")]
    fn from_words<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> Result<Self, Failure>
    where
        Self: for<'r> FromRequest<'r>,
    {
        from_words(words)
    }

    /// Returns the words from which [`from_words`](Self::from_words) makes the same value. Nothing is filled in: a
    /// relative path stays relative.
    fn to_words(&self) -> Vec<OsString> {
        let mut words = CommandBuilder::new(self.name());
        self.send(&mut Arguments::of_text(&mut words));
        words.words().into_iter().map(OsString::from_vec).collect()
    }
}

impl Client {
    /// Prepares a call of a command that is a variant of an enum of commands.
    ///
    /// ```no_run
    /// # #[derive(dockipc::Commands)]
    /// # enum Action { FocusWindow { id: u64 } }
    /// let client = dockipc::Client::new("/run/ui.sock");
    /// let () = client.request(Action::FocusWindow { id: 7 }).call()?;
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    pub fn request<C: Commands>(&self, command: C) -> Call<'_> {
        let call = match C::PREFIX {
            Some(prefix) => self.command(&format!("{prefix} {}", command.name())),
            None => self.command(command.name()),
        };
        call.fill(|arguments| command.send(arguments))
    }
}
