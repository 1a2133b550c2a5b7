//! Notifications of changes to the socket's name, inotify(7).

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use super::socket_path::SocketPath;

/// The inotify watches of a path. They only speed up recovery: the path is also polled.
#[derive(Default)]
pub(super) struct Watches {
    descriptors: Vec<i32>,
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
        for watch in self.descriptors.drain(..) {
            // The watch of a removed file may be gone already.
            let _ = inotify::remove_watch(inotify, watch);
        }
    }

    /// Watches the socket, its lock, and their directory.
    pub(super) fn set(&mut self, inotify: &OwnedFd, socket_path: &SocketPath) {
        // An open socket produces no IN_DELETE_SELF; the change of its link count is IN_ATTRIB.
        let name = WatchFlags::ATTRIB | WatchFlags::MOVE_SELF | WatchFlags::DONT_FOLLOW;
        let directory = WatchFlags::MOVE_SELF | WatchFlags::ONLYDIR;
        let add = |path, flags| inotify::add_watch(inotify, path, flags);
        let watches: [Result<i32, Errno>; 3] = [
            add(socket_path.sibling(&socket_path.name), name),
            add(socket_path.sibling(&socket_path.lock_name()), name),
            add(socket_path.sibling(".".as_ref()), directory),
        ];
        self.descriptors.extend(watches.into_iter().flatten());
    }
}
