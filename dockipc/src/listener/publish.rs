//! Listening at a path.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, Mode, Stat};
use rustix::io::Errno;
use rustix::net::SocketFlags;

use super::place::{Place, identity};
use super::socket;
use crate::error::Error;

/// A listening socket at a path, with what tells whether the path is still its own.
pub(crate) struct Published {
    place: Place,
    /// Device and inode of the socket's name. (`fstat` of the socket gives others.)
    identity: (u64, u64),
    /// Whether the name was given back. A file system may then use the inode's number again.
    released: AtomicBool,
}

/// Listens at a path. The socket has its final mode when it becomes visible.
pub(crate) fn publish(path: &Path, mode: u32) -> Result<(UnixListener, Published), Error> {
    let place = Place::new(path)?;
    let _turn = place.take_turn();
    let seen = place.probe()?;
    let socket = socket(SocketFlags::CLOEXEC)?;
    let failed = |what: &str| {
        let doing = format!("{what} {}", path.display());
        move |errno: Errno| Error::io(doing, errno)
    };
    // Linux creates the name with the mode that the socket has: nobody else can connect until the
    // mode is the final one.
    rustix::fs::fchmod(&socket, Mode::from_raw_mode(0o600)).map_err(failed("preparing"))?;
    let temporary = place.bind(&socket).map_err(failed("creating a socket for"))?;
    let publish = || -> Result<Published, Error> {
        let mode = Mode::from_raw_mode(mode & 0o7777);
        rustix::fs::chmodat(&place.directory, &temporary, mode, AtFlags::empty())
            .map_err(failed("setting the mode of"))?;
        // The system lowers this to its maximum, net.core.somaxconn.
        rustix::net::listen(&socket, i32::MAX).map_err(failed("listening at"))?;
        let stat = place.stat(&temporary).map_err(failed("looking at"))?;
        let kept = place.try_clone().map_err(failed("keeping"))?;
        place.move_in(&temporary, seen)?;
        Ok(Published { place: kept, identity: identity(&stat), released: AtomicBool::new(false) })
    };
    let published = publish().inspect_err(|_| place.unlink(&temporary))?;
    Ok((UnixListener::from(socket), published))
}

impl Published {
    /// Removes the name if it is still ours, once: afterwards it can be another daemon's.
    ///
    /// To be called while the listener is open, which keeps the inode's number from being reused.
    pub(crate) fn release(&self) {
        if self.released.swap(true, Ordering::Relaxed) {
            return;
        }
        let ours = |stat: Stat| identity(&stat) == self.identity;
        if self.place.stat(&self.place.name).is_ok_and(ours) {
            self.place.unlink(&self.place.name);
        }
    }
}
