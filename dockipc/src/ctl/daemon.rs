//! The daemon that is talked to.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::args::Common;
use super::complaint::Complaint;
use super::output::escaped;
use super::socket::{self, Socket};
use super::ssh::Tunnel;
use crate::client::Client;

/// The longest answer that is held in memory: what is no text or bytes alone, or is to be JSON.
const LONGEST: usize = 1 << 30;

/// Which daemon the program is for.
pub(super) enum Target {
    /// One, whose path is fixed.
    Own(PathBuf),
    /// The one that the command line names.
    Any,
}

/// A daemon, and the way to it.
pub(super) struct Daemon {
    pub(super) client: Client,
    /// What it is called here.
    pub(super) name: String,
    /// Whether its socket stands in the environment, and not on the command line.
    pub(super) is_preset: bool,
    /// Ends with this.
    tunnel: Option<Tunnel>,
}

impl Daemon {
    /// Finds the daemon. Its socket, if it is the first of the words, is taken from them.
    pub(super) fn find(
        target: &Target,
        common: &Common,
        words: &mut Vec<OsString>,
    ) -> Result<Self, Complaint> {
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
                    return Err(Complaint::usage(
                        "the owner of a socket on another machine can't be seen: leave out \
                         --require-owner, and DOCKIPC_REQUIRE_OWNER",
                    ));
                }
                let tunnel = Tunnel::open(&address, common.timeout)?;
                (tunnel.path().to_owned(), escaped(&address).into_owned(), Some(tunnel))
            }
        };
        let client = client(&path, &owners).timeout(common.timeout).max_answer(LONGEST);
        // A command may take as long as it does, unless the caller says otherwise.
        let client = client.read_timeout(None);
        let client = match &common.token_file {
            _ if common.is_probe => client,
            Some(file) => client.token_file(file),
            // Whoever listens here, the one who is asked is at the other end.
            None if tunnel.is_some() => client.without_token_from_env(),
            None => client.token_from_env(),
        };
        Ok(Self { client, name, is_preset, tunnel })
    }

    /// From now on Ctrl-C is not the end of the program.
    pub(super) fn leave_interrupts(&self) {
        if let Some(tunnel) = &self.tunnel {
            tunnel.leave_interrupts();
        }
    }
}

/// A client that sends nothing to others than these users, if there are any.
pub(super) fn client(path: &Path, owners: &[u32]) -> Client {
    owners.iter().fold(Client::new(path), |client, owner| client.require_owner(*owner))
}
