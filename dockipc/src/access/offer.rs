//! What a second path is for.

use super::policy::Pattern;

/// What a server offers at another path: [`Server::also_at`](crate::Server::also_at).
///
/// It can only take away: a command's own rule is for every path.
#[derive(Clone, Debug)]
pub struct Access {
    /// None is everything.
    pub(crate) names: Option<Vec<Pattern>>,
    pub(crate) mode: Option<u32>,
}

impl Access {
    /// The commands with these names, in which `*` stands for any characters and `?` for one, and
    /// the built-in `ping`, `echo`, `info` and `help`.
    ///
    /// That a pattern is for no command at all is an error when the server starts.
    pub fn only<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self { names: Some(names.into_iter().map(Pattern::new).collect()), mode: None }
    }

    /// Everything that the first path offers.
    pub fn all() -> Self {
        Self { names: None, mode: None }
    }

    /// Sets the mode of the socket: who can connect. Default 0600, which is the daemon's user. A
    /// socket that systemd passes keeps its own, as with [`Server::mode`](crate::Server::mode).
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode);
        self
    }
}
