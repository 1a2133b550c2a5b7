//! The daemon that is called.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::args::Common;
use super::error::CliError;
use super::output::escaped;
use super::socket::{self, Socket};
use super::ssh::Tunnel;
use crate::client::Client;

/// The longest answer that is held in memory, in bytes: one with several parts, or for JSON output.
const MAX_ANSWER: usize = 1 << 30;

/// Which daemons the program is for.
pub(super) enum Target {
    /// One daemon with a fixed path.
    Own(PathBuf),
    /// The daemon that the command line names.
    Any,
}

/// A daemon, and the tunnel to it if it is on another machine.
pub(super) struct Daemon {
    pub(super) client: Client,
    /// The name for prompts and rows.
    pub(super) name: String,
    /// Whether the socket comes from the environment and not from the command line.
    pub(super) is_preset: bool,
    tunnel: Option<Tunnel>,
}

impl Daemon {
    /// Finds the daemon. If the first of the words is its socket, removes that word.
    pub(super) fn find(
        target: &Target,
        common: &Common,
        words: &mut Vec<OsString>,
    ) -> Result<Self, CliError> {
        let (socket, is_preset) = match target {
            Target::Own(path) => (Socket::Local(path.clone()), false),
            Target::Any => {
                let (socket, is_preset) = socket::take(common.socket.clone(), words)?;
                (Socket::read(&socket)?, is_preset)
            }
        };
        let owners = common.owners()?;
        let (path, name, tunnel) = match socket {
            Socket::Local(path) => {
                let name = path.file_stem().unwrap_or(path.as_os_str());
                let name = escaped(name.to_string_lossy().trim_start_matches('@')).into_owned();
                (path, name, None)
            }
            Socket::Ssh(address) => {
                if !owners.is_empty() {
                    return Err(CliError::usage(
                        "cannot check the owner of a socket on another machine: leave out \
                         --require-owner and unset DOCKIPC_REQUIRE_OWNER",
                    ));
                }
                let tunnel = Tunnel::open(&address, common.timeout)?;
                (tunnel.path().to_owned(), escaped(&address).into_owned(), Some(tunnel))
            }
        };
        let client = client(&path, &owners).timeout(common.timeout).max_answer(MAX_ANSWER);
        // Without --timeout, a command may take any time.
        let client = client.read_timeout(None);
        let client = match &common.token_file {
            _ if common.sends_no_token => client,
            Some(file) => client.token_file(file),
            // The peer of the tunnel is ssh, so that the daemon's owner can't be checked.
            None if tunnel.is_some() => client.without_token_from_env(),
            None => client.token_from_env(),
        };
        Ok(Self { client, name, is_preset, tunnel })
    }

    /// Keeps the tunnel open on SIGINT, which the caller handles from now on.
    pub(super) fn ignore_interrupts(&self) {
        if let Some(tunnel) = &self.tunnel {
            tunnel.ignore_interrupts();
        }
    }
}

/// Returns a client that, if `owners` are given, sends nothing to daemons of other users.
pub(super) fn client(path: &Path, owners: &[u32]) -> Client {
    owners.iter().fold(Client::new(path), |client, owner| client.require_owner(*owner))
}
