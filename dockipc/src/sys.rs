//! The one system call that the system-call crate does not have.
#![allow(unsafe_code, reason = "no safe crate offers SO_PEERGROUPS")]

use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

const SOL_SOCKET: c_int = 1;
const SO_PEERGROUPS: c_int = 59;
const ERANGE: i32 = 34;

unsafe extern "C" {
    /// getsockopt(2), from the C library that std links.
    fn getsockopt(
        socket: c_int,
        level: c_int,
        name: c_int,
        value: *mut c_void,
        length: *mut u32,
    ) -> c_int;
}

/// The supplementary groups of who is at the other end (`SO_PEERGROUPS`, unix(7)).
pub(crate) fn peer_groups(socket: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut groups = vec![0_u32; 32];
    loop {
        let size = u32::try_from(groups.len() * size_of::<u32>()).unwrap_or(u32::MAX);
        let mut length = size;
        // SAFETY: `value` points to `length` writable bytes, which the kernel does not exceed, and
        // any bytes are valid u32s; `length` is a valid u32; the descriptor is open while borrowed.
        let result = unsafe {
            getsockopt(
                socket.as_raw_fd(),
                SOL_SOCKET,
                SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        let count = length as usize / size_of::<u32>();
        if result == 0 {
            groups.truncate(count);
            return Ok(groups);
        }
        let error = io::Error::last_os_error();
        // On ERANGE the kernel has written the size that it needs.
        if error.raw_os_error() != Some(ERANGE) || count <= groups.len() {
            return Err(error);
        }
        groups.resize(count, 0);
    }
}
