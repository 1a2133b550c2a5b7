//! [`Peer`], the credentials of a client.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use crate::sys;

/// The credentials of a client, as the kernel recorded them when it connected (`SO_PEERCRED` and
/// `SO_PEERGROUPS`, unix(7)).
///
/// Injected as a parameter by value or by reference, and cheap to clone.
#[derive(Clone, Debug)]
pub struct Peer {
    uid: u32,
    gid: u32,
    pid: Option<u32>,
    /// Empty where the kernel has no `SO_PEERGROUPS`.
    groups: Arc<[u32]>,
}

impl Peer {
    pub(crate) fn of(socket: impl AsFd) -> io::Result<Self> {
        let socket = socket.as_fd();
        let [pid, uid, gid] = sys::peer_credentials(socket)?;
        // 0 is a process in a PID namespace that is not visible from here, such as outside a container.
        let pid = (pid != 0).then_some(pid);
        // Without the groups fewer rules admit the peer, since no rule excludes a group. /proc is no
        // substitute: the process ID may be another process's by now.
        let groups = sys::peer_groups(socket).unwrap_or_default().into();
        Ok(Self { uid, gid, pid, groups })
    }

    /// Returns the stand-in for credentials that can't be read. Such a client is turned away, so no handler
    /// sees this.
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

    /// Returns whether both are the same process, as far as is known.
    pub(crate) fn is_same_process(&self, other: &Self) -> bool {
        self.pid.is_some() && (self.pid, self.uid) == (other.pid, other.uid)
    }

    /// Returns the effective user id.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// Returns the effective group id.
    pub fn gid(&self) -> u32 {
        self.gid
    }

    /// Returns the supplementary group ids; none where the kernel does not report them (Linux before
    /// 4.13, gVisor), of which the server warns at start.
    pub fn groups(&self) -> &[u32] {
        &self.groups
    }

    /// Returns whether `gid` is the effective group or a supplementary group.
    pub fn in_group(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }

    /// Returns the process id, or `None` for a process in a PID namespace that is not visible from here.
    ///
    /// Use it only for logs: the process may have ended and another may have its id.
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }
}
