//! Notifications of changes to the socket's path, inotify(7).

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use super::socket_path::SocketPath;
use crate::directory::c_name;

/// The inotify watches of a path.
///
/// inotify reports neither a mount over a directory, nor what another machine does on a network file
/// system, and watches are limited in number. So the path is also polled: seldom while the watches are
/// complete, and often otherwise.
#[derive(Default)]
pub(super) struct Watches {
    descriptors: Vec<i32>,
    /// Whether every change at the path is reported, except for mounts.
    pub(super) are_complete: bool,
}

/// Opens an inotify instance. `None` if the system's limit is reached.
pub(super) fn open() -> Option<OwnedFd> {
    inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()
}

/// Discards the pending events: any event leads to the same check.
pub(super) fn drain(inotify: &OwnedFd) {
    let mut bytes = [MaybeUninit::<u8>::uninit(); 4096];
    while !matches!(rustix::io::read(inotify, &mut bytes), Ok((&mut [], _)) | Err(_)) {}
}

impl Watches {
    pub(super) fn clear(&mut self, inotify: &OwnedFd) {
        self.are_complete = false;
        for watch in self.descriptors.drain(..) {
            // The watch of a removed file may be gone already.
            let _ = inotify::remove_watch(inotify, watch);
        }
    }

    /// Watches the socket, its lock, and the directories and links on the way to them.
    pub(super) fn set(&mut self, inotify: &OwnedFd, socket_path: &SocketPath) {
        // An open socket produces no IN_DELETE_SELF; the change of its link count is IN_ATTRIB.
        let name = WatchFlags::ATTRIB | WatchFlags::MOVE_SELF | WatchFlags::DONT_FOLLOW;
        // Not IN_ATTRIB, which a busy directory could cause often. A removed directory is empty, so
        // the socket was removed before.
        let step = WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF | WatchFlags::DONT_FOLLOW;
        self.are_complete = true;
        let mut add = |path: &Path, flags| match watched(inotify, path, flags) {
            Ok(watch) => self.descriptors.push(watch),
            Err(_) => self.are_complete = false,
        };
        add(&socket_path.sibling(&socket_path.name), name);
        add(&socket_path.sibling(&socket_path.lock_name()), name);
        for path in socket_path.way() {
            add(path, step);
        }
        // Otherwise other files are watched.
        self.are_complete &= socket_path.leads_here() && socket_path.is_local();
    }
}

fn watched(inotify: &OwnedFd, path: &Path, flags: WatchFlags) -> Result<i32, Errno> {
    inotify::add_watch(inotify, &*c_name(path.as_os_str())?, flags)
}
