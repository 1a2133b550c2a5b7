//! The system calls that the system-call crate does not have, or not soundly.
#![allow(
    unsafe_code,
    reason = "no safe crate offers SO_PEERGROUPS, SO_PASSRIGHTS, SO_PEERCRED of a process in another PID namespace, users by name, fchmodat2(2) of a descriptor, a descriptor by its number, the limit of descriptors where a filter forbids to ask, what a child does before it becomes another program, or to put a signal's handler back"
)]

use std::ffi::{CString, c_char, c_int};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use rustix::fs::Mode;
use rustix::io::Errno;

/// `SO_PASSRIGHTS` of asm-generic/socket.h, Linux 6.16, which libc does not have yet. The processors
/// below have numbers of their own.
const SO_PASSRIGHTS: c_int = 83;
#[cfg(any(target_arch = "mips", target_arch = "mips64", target_arch = "sparc64"))]
compile_error!("dockipc does not know SO_PASSRIGHTS of this processor");

/// Fills `value` with a socket option; gives the size in bytes that it has or, on ERANGE, needs.
fn option(socket: BorrowedFd<'_>, name: c_int, value: &mut [u32]) -> (usize, io::Result<()>) {
    let mut length = u32::try_from(size_of_val(value)).unwrap_or(u32::MAX);
    // SAFETY: `value` points to at least `length` writable bytes, which the kernel does not exceed,
    // and any bytes are valid u32s; `length` is a valid u32; the descriptor is open while borrowed.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            name,
            value.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    let result = if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    (length as usize, result)
}

/// Process, user and group of who is at the other end (`SO_PEERCRED`, unix(7)). The process is 0 if
/// it can't be seen from here.
pub(crate) fn peer_credentials(socket: BorrowedFd<'_>) -> io::Result<[u32; 3]> {
    let mut credentials = [0; 3];
    match option(socket, libc::SO_PEERCRED, &mut credentials) {
        (length, Ok(())) if length == size_of_val(&credentials) => Ok(credentials),
        (_, Ok(())) => Err(io::ErrorKind::InvalidData.into()),
        (_, Err(error)) => Err(error),
    }
}

/// The supplementary groups of who is at the other end (`SO_PEERGROUPS`, unix(7)).
pub(crate) fn peer_groups(socket: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut groups = vec![0; 32];
    loop {
        let (length, result) = option(socket, libc::SO_PEERGROUPS, &mut groups);
        let count = length / size_of::<u32>();
        match result {
            Ok(()) => {
                groups.truncate(count);
                return Ok(groups);
            }
            Err(error) if error.raw_os_error() == Some(libc::ERANGE) && count > groups.len() => {
                groups.resize(count, 0);
            }
            Err(error) => return Err(error),
        }
    }
}

/// The number of a user, by name (`getpwnam_r`, from wherever the system keeps its users).
pub(crate) fn user(name: &str) -> io::Result<Option<u32>> {
    let name = CString::new(name)?;
    look_up(|buffer| {
        let mut entry = MaybeUninit::<libc::passwd>::uninit();
        let mut found = ptr::null_mut();
        // SAFETY: every pointer is valid for the call, and the buffer has the length that is given.
        // Where `found` is set it points to `entry`, which is then filled in.
        unsafe {
            let error = libc::getpwnam_r(
                name.as_ptr(),
                entry.as_mut_ptr(),
                buffer.as_mut_ptr(),
                buffer.len(),
                &raw mut found,
            );
            (error, (!found.is_null()).then(|| (*found).pw_uid))
        }
    })
}

/// The number of a group, by name (`getgrnam_r`).
pub(crate) fn group(name: &str) -> io::Result<Option<u32>> {
    let name = CString::new(name)?;
    look_up(|buffer| {
        let mut entry = MaybeUninit::<libc::group>::uninit();
        let mut found = ptr::null_mut();
        // SAFETY: as in `user`.
        unsafe {
            let error = libc::getgrnam_r(
                name.as_ptr(),
                entry.as_mut_ptr(),
                buffer.as_mut_ptr(),
                buffer.len(),
                &raw mut found,
            );
            (error, (!found.is_null()).then(|| (*found).gr_gid))
        }
    })
}

/// Gives a look-up more room for as long as it wants more.
fn look_up(ask: impl Fn(&mut [c_char]) -> (c_int, Option<u32>)) -> io::Result<Option<u32>> {
    const MOST: usize = 1 << 20;
    let mut buffer = vec![0; 1024];
    loop {
        match ask(&mut buffer) {
            (0, found) => return Ok(found),
            (libc::ERANGE, _) if buffer.len() < MOST => buffer.resize(buffer.len() * 4, 0),
            (libc::EINTR, _) => {}
            // getpwnam(3): some say so of a name that isn't there.
            (libc::ENOENT | libc::ESRCH, _) => return Ok(None),
            (error, _) => return Err(io::Error::from_raw_os_error(error)),
        }
    }
}

/// Sets the mode of the file that an `O_PATH` descriptor stands for, and of no other.
///
/// # Errors
/// `ENOSYS` where there is neither `/proc` nor fchmodat2(2), Linux 6.6.
pub(crate) fn set_mode(file: &OwnedFd, mode: Mode) -> Result<(), Errno> {
    // The same on every processor that is supported: newer than their common numbers.
    const FCHMODAT2: libc::c_long = 452;
    // This link leads to the file itself, proc_pid_fd(5), whatever has its name by now.
    match rustix::fs::chmod(format!("/proc/self/fd/{}", file.as_raw_fd()), mode) {
        // There is no /proc.
        Err(Errno::NOENT) => {}
        set => return set,
    }
    // SAFETY: the name is a C string, and the kernel reads no other memory; the descriptor is open
    // while borrowed.
    let result = unsafe {
        libc::syscall(FCHMODAT2, file.as_raw_fd(), c"".as_ptr(), mode.bits(), libc::AT_EMPTY_PATH)
    };
    if result == 0 {
        return Ok(());
    }
    Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::NOSYS))
}

/// Lets nobody send descriptors through a socket, or through those that a listening one accepts
/// (`SO_PASSRIGHTS`, Linux 6.16): nothing here would take them, and until they are closed they are
/// open. An older kernel does not know the option.
pub(crate) fn refuse_descriptors(socket: BorrowedFd<'_>) {
    let off: i32 = 0;
    // SAFETY: `off` is readable for four bytes; the descriptor is open while borrowed.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PASSRIGHTS,
            (&raw const off).cast(),
            4,
        );
    }
}

/// How many descriptors this process may have (`RLIMIT_NOFILE`). None if there is no limit, or a
/// filter of system calls forbids to ask, which the system-call crate takes for impossible.
pub(crate) fn descriptor_limit() -> Option<usize> {
    let mut limit = MaybeUninit::<libc::rlimit>::uninit();
    // SAFETY: `limit` is valid for the call, and filled in where that succeeds.
    let limit = unsafe {
        let result = libc::getrlimit(libc::RLIMIT_NOFILE, limit.as_mut_ptr());
        (result == 0).then(|| limit.assume_init().rlim_cur)
    };
    let limit = limit.filter(|limit| *limit != libc::RLIM_INFINITY)?;
    usize::try_from(limit).ok()
}

/// The effective user of this process.
pub(crate) fn effective_user() -> u32 {
    // SAFETY: it takes nothing and can't fail.
    unsafe { libc::geteuid() }
}

/// A copy of a descriptor that this process was started with, by its number. The descriptor itself
/// is closed in programs that this one starts. None if the number is not open.
pub(crate) fn inherited(number: c_int) -> Option<OwnedFd> {
    // SAFETY: these operations take a number, change nothing in memory, and fail if the number is
    // not open. What F_DUPFD_CLOEXEC gives is new and nobody else's.
    unsafe {
        if libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) == -1 {
            return None;
        }
        let copy = libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 0);
        (copy != -1).then(|| OwnedFd::from_raw_fd(copy))
    }
}

/// Has a child, when it is started, get SIGTERM when the thread that started it ends, however that
/// comes about: `PR_SET_PDEATHSIG` of prctl(2). Ctrl-C is for this program: the child ignores it.
#[cfg(feature = "cli")]
pub(crate) fn end_with_this_thread(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt;

    use rustix::process::{Signal, set_parent_process_death_signal};

    // SAFETY: between fork and exec only what is async-signal-safe may be called. These are system
    // calls; they take no lock and no memory.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGINT, libc::SIG_IGN);
            set_parent_process_death_signal(Some(Signal::TERM)).map_err(io::Error::from)
        });
    }
}

/// Runs what sets a handler for a signal, and puts back the one that was there.
#[cfg(feature = "cli")]
pub(crate) fn keeping_signal<T>(signal: c_int, run: impl FnOnce() -> T) -> io::Result<T> {
    let set = |new: *const libc::sigaction, old: *mut libc::sigaction| {
        // SAFETY: each is null, or points to one that lives during the call; what is set was set
        // before.
        match unsafe { libc::sigaction(signal, new, old) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    let mut before = MaybeUninit::<libc::sigaction>::uninit();
    set(ptr::null(), before.as_mut_ptr())?;
    let result = run();
    set(before.as_ptr(), ptr::null_mut())?;
    Ok(result)
}
