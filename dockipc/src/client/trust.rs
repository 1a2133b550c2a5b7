//! Which listeners get what is not specific to a socket: a token of the environment, and the environment.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use crate::error::{Error, Result};
use crate::sys;

/// Returns the user of the listener, as the kernel recorded it at listen(2).
pub(super) fn listener(stream: &UnixStream) -> Result<u32> {
    let credentials = sys::peer_credentials(stream.as_fd());
    credentials
        .map(|[_, user, _]| user)
        .map_err(|error| Error::io("reading the listener's credentials", error))
}

/// Returns the reason, which begins with `what`, if a listener that the client does not require belongs to neither
/// root nor this process's user.
pub(crate) fn withheld(what: &str, listener: u32) -> Option<String> {
    if listener == 0 || listener == sys::effective_user() {
        return None;
    }
    Some(format!(
        "{what}: the listener is uid {listener}, neither root nor you; allow it with Client::require_owner"
    ))
}
