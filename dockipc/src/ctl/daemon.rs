//! The daemon that is talked to.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::args::Common;
use super::complaint::Complaint;
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
        let (path, name, tunnel) = match socket {
            Socket::Local(path) => {
                let name = path.file_stem().unwrap_or(path.as_os_str());
                let name = name.to_string_lossy().trim_start_matches('@').to_owned();
                (path, name, None)
            }
            Socket::Ssh(address) => {
                let tunnel = Tunnel::open(&address, common.timeout)?;
                (tunnel.path().to_owned(), address, Some(tunnel))
            }
        };
        Ok(Self { client: client(&path, common), name, is_preset, tunnel })
    }

    /// From now on Ctrl-C is not the end of the program.
    pub(super) fn leave_interrupts(&self) {
        if let Some(tunnel) = &self.tunnel {
            tunnel.leave_interrupts();
        }
    }
}

fn client(path: &Path, common: &Common) -> Client {
    let client = Client::new(path).timeout(common.timeout).max_answer(LONGEST);
    // A command may take as long as it does, unless the caller says otherwise.
    let client = client.read_timeout(None);
    match &common.token_file {
        Some(file) => client.token_file(file),
        None => client.token_from_env(),
    }
}
