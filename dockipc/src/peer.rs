//! Who connected.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use crate::sys;

/// Who connected, as the kernel noted it at that moment (`SO_PEERCRED` and `SO_PEERGROUPS`,
/// unix(7)).
///
/// It is an injected parameter, by value or by reference, and cheap to clone.
#[derive(Clone, Debug)]
pub struct Peer {
    uid: u32,
    gid: u32,
    pid: Option<u32>,
    groups: Arc<[u32]>,
}

impl Peer {
    pub(crate) fn of(socket: impl AsFd) -> io::Result<Self> {
        let socket = socket.as_fd();
        let [pid, uid, gid] = sys::peer_credentials(socket)?;
        // 0 is a process of another PID namespace, such as one outside the daemon's container.
        let pid = (pid != 0).then_some(pid);
        Ok(Self { uid, gid, pid, groups: sys::peer_groups(socket)?.into() })
    }

    /// Who could not be read: it is turned away, and no handler sees it.
    pub(crate) fn unknown() -> Self {
        Self { uid: u32::MAX, gid: u32::MAX, pid: None, groups: Arc::default() }
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn made_up(uid: u32, gid: u32, groups: &[u32]) -> Self {
        Self { uid, gid, pid: None, groups: groups.into() }
    }

    pub(crate) fn is_known(&self) -> bool {
        self.uid != u32::MAX
    }

    /// The effective user.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// The effective group.
    pub fn gid(&self) -> u32 {
        self.gid
    }

    /// The supplementary groups.
    pub fn groups(&self) -> &[u32] {
        &self.groups
    }

    /// Whether this group is the effective one or a supplementary one.
    pub fn in_group(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }

    /// The process, where it can be seen from here. For a log only: the process may have ended and
    /// its number may be another's by now.
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }
}
