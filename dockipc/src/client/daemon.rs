//! The versions of a daemon.

use std::collections::BTreeMap;

use super::{Call, Client, Result};

/// The versions of a daemon; see [`Client::daemon`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    version: Option<String>,
    dockipc: Option<String>,
}

impl Daemon {
    pub(super) fn question(client: &Client) -> Call<'_> {
        client.command("dockipc").words(["describe", "--daemon"]).idempotent()
    }

    pub(super) fn new(mut fields: BTreeMap<String, String>) -> Self {
        Self { version: fields.remove("version"), dockipc: fields.remove("dockipc") }
    }

    /// Returns the daemon's version, if its author has set one with
    /// [`Server::version`](crate::Server::version).
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Returns the version of the crate `dockipc` that the daemon is built with, unless it is an old one that does not
    /// say it.
    pub fn dockipc_version(&self) -> Option<&str> {
        self.dockipc.as_deref()
    }
}

impl Client {
    /// Asks the daemon for its versions.
    ///
    /// ```no_run
    /// let client = dockipc::Client::new("/run/hitd.sock");
    /// println!("hitd {}", client.daemon()?.version().unwrap_or("of an unknown version"));
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Call::call`](super::Call::call).
    pub fn daemon(&self) -> Result<Daemon> {
        Daemon::question(self).call().map(Daemon::new)
    }
}
