//! [`Access`], the commands and the mode of a second socket.

use super::policy::Pattern;

/// The commands that a server offers at another path: [`Server::also_at`](crate::Server::also_at).
///
/// It can only narrow access: a command's own rule holds at every path.
#[derive(Clone, Debug)]
pub struct Access {
    /// The patterns of the offered names; `None` offers every command.
    pub(crate) names: Option<Vec<Pattern>>,
    /// The patterns of the offered event channels; `None` offers every channel.
    pub(crate) channels: Option<Vec<Pattern>>,
    pub(crate) mode: Option<u32>,
}

impl Access {
    /// Offers the commands with these names, and the built-in `ping`, `echo`, `info` and `help`. In a name,
    /// `*` matches any characters and `?` matches one.
    ///
    /// A pattern that matches no command is an error when the server starts.
    pub fn only<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(Pattern::new).collect();
        Self { names: Some(names), channels: Some(Vec::new()), mode: None }
    }

    /// Offers every command and every event channel of the first path.
    pub fn all() -> Self {
        Self { names: None, channels: None, mode: None }
    }

    /// Offers the event channels with these names; [`only`](Self::only) offers none by itself. In a name, `*`
    /// matches any characters and `?` matches one.
    #[must_use]
    pub fn channels<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.channels = Some(names.into_iter().map(Pattern::new).collect());
        self
    }

    /// Sets the mode of the socket, which decides which users can connect. Default: 0600, the daemon's user
    /// only. A socket that systemd passes keeps its own mode, as with
    /// [`Server::mode`](crate::Server::mode).
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode);
        self
    }
}
