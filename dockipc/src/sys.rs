//! System calls that the crate `rustix` lacks, or does not offer soundly, and the type of a value that may
//! borrow. All `unsafe` code is here.
#![allow(
    unsafe_code,
    reason = "no safe crate offers SO_PEERGROUPS, SO_PASSRIGHTS, SO_PEERCRED of a process in another PID namespace, users by name, fchmodat2(2) of a descriptor, a descriptor by number, getrlimit(2) under a seccomp filter, pre-exec hooks, pthread_atfork(3), signal masks and handlers, or the type of a value that is not 'static"
)]

use std::any::Any;
use std::ffi::{CString, c_char, c_int};
use std::io;
use std::mem::{self, MaybeUninit};
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rustix::fs::Mode;
use rustix::io::Errno;

/// `SO_PASSRIGHTS` of asm-generic/socket.h, Linux 6.16, which libc does not define yet. The
/// architectures below use other numbers.
const SO_PASSRIGHTS: c_int = 83;
#[cfg(any(target_arch = "mips", target_arch = "mips64", target_arch = "sparc64"))]
compile_error!("dockipc does not know the number of SO_PASSRIGHTS on this architecture");

/// Reads a socket option into `value`. Returns its size in bytes or, on ERANGE, the required size.
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

/// Returns the process, user and group IDs of the peer (`SO_PEERCRED`, unix(7)). The process ID is
/// 0 if it is not visible in this PID namespace.
pub(crate) fn peer_credentials(socket: BorrowedFd<'_>) -> io::Result<[u32; 3]> {
    let mut credentials = [0; 3];
    match option(socket, libc::SO_PEERCRED, &mut credentials) {
        (length, Ok(())) if length == size_of_val(&credentials) => Ok(credentials),
        (_, Ok(())) => Err(io::ErrorKind::InvalidData.into()),
        (_, Err(error)) => Err(error),
    }
}

/// Returns the supplementary groups of the peer (`SO_PEERGROUPS`, unix(7)).
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

/// Returns the ID of a user by name (`getpwnam_r`).
pub(crate) fn user(name: &str) -> io::Result<Option<u32>> {
    let name = CString::new(name)?;
    look_up(|buffer| {
        let mut entry = MaybeUninit::<libc::passwd>::uninit();
        let mut found = ptr::null_mut();
        // SAFETY: every pointer is valid for the call, and the buffer has the given length. If
        // `found` is set, it points to `entry`, which is then initialized.
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

/// Returns the ID of a group by name (`getgrnam_r`).
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

/// Repeats a lookup with a larger buffer until it succeeds.
fn look_up(ask: impl Fn(&mut [c_char]) -> (c_int, Option<u32>)) -> io::Result<Option<u32>> {
    const MAX_SIZE: usize = 1 << 20;
    let mut buffer = vec![0; 1024];
    loop {
        match ask(&mut buffer) {
            (0, found) => return Ok(found),
            (libc::ERANGE, _) if buffer.len() < MAX_SIZE => buffer.resize(buffer.len() * 4, 0),
            (libc::EINTR, _) => {}
            // getpwnam(3): some systems report a missing name this way.
            (libc::ENOENT | libc::ESRCH, _) => return Ok(None),
            (error, _) => return Err(io::Error::from_raw_os_error(error)),
        }
    }
}

/// Sets the mode of the file that an `O_PATH` descriptor refers to.
///
/// # Errors
/// `ENOSYS` without both `/proc` and fchmodat2(2), Linux 6.6.
pub(crate) fn set_mode(file: &OwnedFd, mode: Mode) -> Result<(), Errno> {
    // The same on all supported architectures, which share the numbers of recent system calls.
    const FCHMODAT2: libc::c_long = 452;
    // This link refers to the open file, proc_pid_fd(5), even if its name belongs to another by
    // now.
    match rustix::fs::chmod(format!("/proc/self/fd/{}", file.as_raw_fd()), mode) {
        // /proc is not mounted.
        Err(Errno::NOENT) => {}
        set => return set,
    }
    // SAFETY: the name is a C string, the only memory that the kernel reads; the descriptor is open
    // while borrowed.
    let result = unsafe {
        libc::syscall(FCHMODAT2, file.as_raw_fd(), c"".as_ptr(), mode.bits(), libc::AT_EMPTY_PATH)
    };
    if result == 0 {
        return Ok(());
    }
    Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::NOSYS))
}

/// Makes a socket, and those that it accepts, refuse passed descriptors (`SO_PASSRIGHTS`, Linux
/// 6.16): dockipc never receives them, and they would stay open as long as the connection. Older
/// kernels ignore this.
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

/// Returns the maximum number of descriptors of this process (`RLIMIT_NOFILE`). `None` if there is
/// no limit, or if a seccomp filter forbids the call, which rustix considers impossible.
pub(crate) fn descriptor_limit() -> Option<usize> {
    let mut limit = MaybeUninit::<libc::rlimit>::uninit();
    // SAFETY: `limit` is valid for the call, and initialized if that succeeds.
    let limit = unsafe {
        let result = libc::getrlimit(libc::RLIMIT_NOFILE, limit.as_mut_ptr());
        (result == 0).then(|| limit.assume_init().rlim_cur)
    };
    let limit = limit.filter(|limit| *limit != libc::RLIM_INFINITY)?;
    usize::try_from(limit).ok()
}

/// A thread of this process, for the others.
#[derive(Clone, Copy)]
pub(crate) struct ThreadId(libc::pid_t);

impl ThreadId {
    /// Returns that of this thread.
    pub(crate) fn current() -> Self {
        // SAFETY: the call takes no arguments and can't fail.
        Self(unsafe { libc::gettid() })
    }

    /// Returns a number that threads which start one after another seldom share.
    pub(crate) fn number(self) -> usize {
        usize::try_from(self.0).unwrap_or(0)
    }

    /// Returns the CPU time of the thread so far; zero if it is unknown.
    pub(crate) fn cpu(self) -> Duration {
        // The clock of a thread, as pthread_getcpuclockid(3) makes it: CPUCLOCK_SCHED, PERTHREAD.
        let clock = !self.0 << 3 | 6;
        let mut time = MaybeUninit::<libc::timespec>::zeroed();
        // SAFETY: `time` is valid for the call, and zeros are a valid value of it.
        let time = unsafe {
            libc::clock_gettime(clock, time.as_mut_ptr());
            time.assume_init()
        };
        let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
        Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
    }

    /// Returns that and how often the thread, which is this one, has waited. None if a seccomp filter forbids a call.
    /// Not the CPU time of getrusage(2), which may lack that since the last tick.
    pub(crate) fn usage(self) -> Option<ThreadUsage> {
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: `usage` is valid for the call, and zeros are a valid value of it.
        let (result, usage) = unsafe {
            let result = libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr());
            (result, usage.assume_init())
        };
        let cpu = self.cpu();
        let is_known = result == 0 && cpu > Duration::ZERO;
        is_known.then_some(ThreadUsage { thread: self, cpu, waits: usage.ru_nvcsw })
    }
}

/// The CPU time of a thread so far, and how often it has waited.
#[derive(Clone, Copy)]
pub(crate) struct ThreadUsage {
    thread: ThreadId,
    cpu: Duration,
    waits: libc::c_long,
}

impl ThreadUsage {
    /// Returns the CPU time of this thread since then if it has not waited for anything.
    pub(crate) fn computed(self) -> Option<Duration> {
        let now = self.thread.usage()?;
        (now.waits == self.waits).then(|| now.cpu.saturating_sub(self.cpu))
    }
}

/// Returns the effective user ID of this process.
pub(crate) fn effective_user() -> u32 {
    // SAFETY: the call takes no arguments and can't fail.
    unsafe { libc::geteuid() }
}

/// Returns a copy of an inherited descriptor, and sets close-on-exec on the original if `take`. `None`
/// if the number is not open.
pub(crate) fn inherited(number: c_int, take: bool) -> Option<OwnedFd> {
    // SAFETY: these operations access no memory and fail if the number is not open. The descriptor
    // that F_DUPFD_CLOEXEC returns is new, so this owns it.
    unsafe {
        if take && libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) == -1 {
            return None;
        }
        let copy = libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 0);
        (copy != -1).then(|| OwnedFd::from_raw_fd(copy))
    }
}

/// Returns whether a signal is ignored.
pub(crate) fn is_ignored(signal: c_int) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: the pointers are null or valid for the call, and `action` is initialized if that
    // succeeds.
    unsafe {
        libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

/// Signals that this thread can receive although its mask blocked them. The mask is restored when
/// this is dropped, in the same thread.
pub(crate) struct Unblocked {
    before: libc::sigset_t,
}

impl Unblocked {
    pub(crate) fn new(signals: &[c_int]) -> io::Result<Self> {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = MaybeUninit::uninit();
        // SAFETY: the pointers are valid for each call. The sets are initialized by sigemptyset
        // and, if it succeeds, by pthread_sigmask.
        let (error, before) = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for &signal in signals {
                libc::sigaddset(set.as_mut_ptr(), signal);
            }
            libc::sigemptyset(before.as_mut_ptr());
            let error = libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), before.as_mut_ptr());
            (error, before.assume_init())
        };
        if error == 0 { Ok(Self { before }) } else { Err(io::Error::from_raw_os_error(error)) }
    }
}

impl Drop for Unblocked {
    fn drop(&mut self) {
        // SAFETY: the pointers are null or valid for the call.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut())
        };
    }
}

/// A descriptor of which a forked child gets no copy, although Linux has no close-on-fork flag. A
/// child that outlives the daemon would keep its lock, and clients would wait for it.
///
/// In the child, the number belongs to an unconnected socket instead, so that it stays valid. This
/// works for fork(3) of the C library, not for the system calls clone(2) and vfork(2), and for
/// numbers up to 65,535.
pub(crate) struct NotForked<T> {
    // Dropped first: the number may be another file's as soon as the descriptor is closed.
    _mark: Mark,
    descriptor: T,
}

/// The bit of a [`NotForked`] descriptor in [`NOT_FORKED`].
struct Mark(usize);

/// One bit for each number, which the fork handler can read without a lock.
static NOT_FORKED: [AtomicU64; 1024] = [const { AtomicU64::new(0) }; 1024];

/// Whether this process has begun to fork since [`watch_forks`].
static HAS_FORKED: AtomicBool = AtomicBool::new(false);

/// Number of times that this process and its ancestors were forked since [`watch_forks`].
static FORKS: AtomicU32 = AtomicU32::new(0);

impl<T: AsFd> NotForked<T> {
    pub(crate) fn new(descriptor: T) -> Self {
        watch_forks();
        let number = usize::try_from(descriptor.as_fd().as_raw_fd()).unwrap_or(usize::MAX);
        if let Some(bits) = NOT_FORKED.get(number / 64) {
            bits.fetch_or(1 << (number % 64), Relaxed);
        }
        Self { _mark: Mark(number), descriptor }
    }
}

impl<T> Deref for NotForked<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.descriptor
    }
}

impl<T: AsFd> AsFd for NotForked<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        if let Some(bits) = NOT_FORKED.get(self.0 / 64) {
            if HAS_FORKED.load(Relaxed) {
                // A child of another thread may get a copy between this and the closing: of another
                // socket.
                replace(self.0);
            }
            bits.fetch_and(!(1 << (self.0 % 64)), Relaxed);
        }
    }
}

/// Whether signals with a [`default_action`] have their default action again.
static HAS_DEFAULT_ACTION: AtomicBool = AtomicBool::new(false);

/// The process whose servers handle signals. In a forked child they have their default action: the
/// handlers would tell the parent of the child's signals, also before [`in_child`] is called.
static SIGNALED: AtomicU32 = AtomicU32::new(0);

/// Adds an action to a signal's handler, for the life of the process: the signal's default action, after
/// [`set_default_action`] and in a forked child.
#[cfg(feature = "server")]
pub(crate) fn default_action(signal: c_int) -> io::Result<()> {
    let action = move || {
        if HAS_DEFAULT_ACTION.load(Relaxed) || SIGNALED.load(Relaxed) != std::process::id() {
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    };
    // SAFETY: the action reads atomics and makes system calls, which a signal handler may do.
    unsafe { signal_hook::low_level::register(signal, action) }.map(drop)
}

/// Sets whether the signals have their default action in this process.
pub(crate) fn set_default_action(is_default: bool) {
    SIGNALED.store(std::process::id(), Relaxed);
    HAS_DEFAULT_ACTION.store(is_default, Relaxed);
}

/// Returns a number that differs between a process and its forked child.
pub(crate) fn forks() -> u32 {
    FORKS.load(Relaxed)
}

/// Calls [`in_child`] in each child that is forked from now on.
pub(crate) fn watch_forks() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler calls only async-signal-safe functions, as fork(2) requires in the
        // child of a process with several threads. A failure, for lack of memory, has the same
        // effect as a child of clone(2).
        unsafe { libc::pthread_atfork(Some(before_fork), None, Some(in_child)) };
    });
}

extern "C" fn before_fork() {
    HAS_FORKED.store(true, Relaxed);
}

/// Replaces the child's copies of the [`NotForked`] descriptors.
extern "C" fn in_child() {
    FORKS.fetch_add(1, Relaxed);
    // SAFETY: these operations access no memory. A marked number is open and belongs to a
    // `NotForked`, so that nothing else uses it.
    unsafe {
        let (mut other, mut is_in_place) = (new_socket(), false);
        let mut number = 0;
        for bits in &NOT_FORKED {
            let bits = bits.load(Relaxed);
            for bit in 0..64 {
                if bits >> bit & 1 == 1 && libc::dup3(other, number, libc::O_CLOEXEC) == -1 {
                    // No descriptor was free, or the number is above a limit that was lowered.
                    libc::close(number);
                    if other == -1 {
                        other = new_socket();
                        is_in_place = other == number;
                    }
                }
                number += 1;
            }
        }
        if !is_in_place {
            libc::close(other);
        }
    }
}

/// Puts an unconnected socket in the place of a [`NotForked`] descriptor that is about to be closed.
fn replace(number: usize) {
    // SAFETY: as in `in_child`.
    unsafe {
        let other = new_socket();
        libc::dup3(other, c_int::try_from(number).unwrap_or(-1), libc::O_CLOEXEC);
        libc::close(other);
    }
}

/// Returns an unconnected socket, or -1.
fn new_socket() -> c_int {
    // SAFETY: the call accesses no memory.
    unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) }
}

/// Ends a forked child without running destructors or exit handlers, which belong to its parent.
pub(crate) fn end_child() -> ! {
    // SAFETY: the call only ends the process.
    unsafe { libc::_exit(1) }
}

/// Makes a child receive SIGTERM when the thread that starts it ends (`PR_SET_PDEATHSIG`,
/// prctl(2)), and ignore SIGINT, so that Ctrl-C interrupts only this program.
#[cfg(feature = "cli")]
pub(crate) fn end_with_this_thread(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt;

    use rustix::process::{Signal, set_parent_process_death_signal};

    // SAFETY: only async-signal-safe functions may run between fork and exec. These are system
    // calls that take no lock and allocate no memory.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGINT, libc::SIG_IGN);
            set_parent_process_death_signal(Some(Signal::TERM)).map_err(io::Error::from)
        });
    }
}

/// Runs a closure that may set a handler for a signal, and restores the previous handler.
#[cfg(feature = "cli")]
pub(crate) fn keeping_signal<T>(signal: c_int, run: impl FnOnce() -> T) -> io::Result<T> {
    let set = |new: *const libc::sigaction, old: *mut libc::sigaction| {
        // SAFETY: each pointer is null or valid for the call, and the action that is set is one
        // that was read before.
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

/// Returns the value as `Any`, which otherwise requires a type without borrows.
///
/// The caller must not take out a borrow: for `Any`, a type has the same identity with every lifetime, so
/// each borrow in the type that it downcasts to seems to be `'static`.
pub(crate) fn as_any<T>(value: &T) -> &dyn Any {
    trait Erased {
        fn as_any(&self) -> &dyn Any
        where
            Self: 'static;
    }

    impl<T> Erased for T {
        fn as_any(&self) -> &dyn Any
        where
            Self: 'static,
        {
            self
        }
    }

    let value: &dyn Erased = value;
    // SAFETY: only the bound of the trait object changes, not its layout or the lifetime of the reference.
    // The bound permits the call of `as_any`, whose code does not depend on lifetimes. What it returns gives
    // access to the value as its own type with other lifetimes, and no borrow is taken out of that.
    let value: &(dyn Erased + 'static) =
        unsafe { mem::transmute::<&dyn Erased, &(dyn Erased + 'static)>(value) };
    value.as_any()
}
