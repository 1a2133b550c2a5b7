//! Being told when something happens to the socket's name, inotify(7).

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use super::place::Place;

/// What was asked to be told. It is a help only: the path is looked at from time to time as well.
#[derive(Default)]
pub(super) struct Marks {
    marks: Vec<i32>,
}

/// A descriptor that becomes readable. None where the system has no more of them.
pub(super) fn open() -> Option<OwnedFd> {
    inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()
}

/// Takes what was told. It is enough that something happened.
pub(super) fn drain(inotify: &OwnedFd) {
    let mut bytes = [MaybeUninit::<u8>::uninit(); 4096];
    while !matches!(rustix::io::read(inotify, &mut bytes), Ok((&mut [], _)) | Err(_)) {}
}

impl Marks {
    pub(super) fn clear(&mut self, inotify: &OwnedFd) {
        for mark in self.marks.drain(..) {
            // That of a name which is gone may be gone too.
            let _ = inotify::remove_watch(inotify, mark);
        }
    }

    /// Marks the socket and its lock, and the directory that they are in.
    pub(super) fn set(&mut self, inotify: &OwnedFd, place: &Place) {
        // IN_DELETE_SELF of a socket does not come while it is open; a change of its count of
        // names is IN_ATTRIB.
        let name = WatchFlags::ATTRIB | WatchFlags::MOVE_SELF | WatchFlags::DONT_FOLLOW;
        let directory = WatchFlags::MOVE_SELF | WatchFlags::ONLYDIR;
        let add = |path, flags| inotify::add_watch(inotify, path, flags);
        let marks: [Result<i32, Errno>; 3] = [
            add(place.beside(&place.name), name),
            add(place.beside(&place.lock_name()), name),
            add(place.beside(".".as_ref()), directory),
        ];
        self.marks.extend(marks.into_iter().flatten());
    }
}
