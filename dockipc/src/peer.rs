//! [`Peer`], the credentials of a client.

use std::any::Any;
use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::caught::caught;
use crate::sys;

/// The credentials of a client, as the kernel recorded them when it connected (`SO_PEERCRED` and
/// `SO_PEERGROUPS`, unix(7)).
///
/// Injected as a parameter by value or by reference, and cheap to clone.
#[derive(Clone)]
pub struct Peer(Arc<Client>);

/// The client of one connection.
struct Client {
    uid: u32,
    gid: u32,
    pid: Option<u32>,
    /// Empty where the kernel has no `SO_PEERGROUPS`.
    groups: Arc<[u32]>,
    /// The connection has ended. Written with `held` locked.
    has_ended: AtomicBool,
    /// The values that end with the connection. In a box, since most connections have none.
    ///
    /// Invariant: no code of the author's runs while this is locked.
    held: Mutex<Option<Box<Held>>>,
}

type Held = Vec<Box<dyn Any + Send>>;

/// Returns groups in memory that is shared with the client before, which often has the same.
#[inline(never)]
fn shared(groups: &[u32]) -> Arc<[u32]> {
    static LAST: Mutex<Option<Arc<[u32]>>> = Mutex::new(None);
    // It is only tried: in a forked child it may be locked for ever.
    let Ok(mut last) = LAST.try_lock() else { return groups.into() };
    match &*last {
        Some(last) if **last == *groups => Arc::clone(last),
        _ => Arc::clone(last.insert(groups.into())),
    }
}

impl Peer {
    fn new(uid: u32, gid: u32, pid: Option<u32>, groups: Arc<[u32]>) -> Self {
        let (has_ended, held) = (AtomicBool::new(false), Mutex::new(None));
        Self(Arc::new(Client { uid, gid, pid, groups, has_ended, held }))
    }

    pub(crate) fn of(socket: impl AsFd) -> io::Result<Self> {
        let socket = socket.as_fd();
        let [pid, uid, gid] = sys::peer_credentials(socket)?;
        // 0 is a process in a PID namespace that is not visible from here, such as outside a container.
        let pid = (pid != 0).then_some(pid);
        // Without the groups fewer rules admit the peer, since no rule excludes a group. /proc is no
        // substitute: the process ID may be another process's by now.
        let groups = sys::peer_groups(socket).unwrap_or_default();
        Ok(Self::new(uid, gid, pid, shared(&groups)))
    }

    /// Returns the stand-in for credentials that can't be read. Such a client is turned away, so no handler
    /// sees this.
    pub(crate) fn unknown() -> Self {
        Self::new(u32::MAX, u32::MAX, None, Arc::default())
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn made_up(uid: u32, gid: u32, groups: &[u32]) -> Self {
        Self::new(uid, gid, None, groups.into())
    }

    pub(crate) fn is_known(&self) -> bool {
        self.0.uid != u32::MAX
    }

    /// Returns whether both are the same process, as far as is known.
    pub(crate) fn is_same_process(&self, other: &Self) -> bool {
        self.pid().is_some() && (self.pid(), self.uid()) == (other.pid(), other.uid())
    }

    /// Returns the effective user id.
    pub fn uid(&self) -> u32 {
        self.0.uid
    }

    /// Returns the effective group id.
    pub fn gid(&self) -> u32 {
        self.0.gid
    }

    /// Returns the supplementary group ids; none where the kernel does not report them (Linux before
    /// 4.13, gVisor), of which the server warns at start.
    pub fn groups(&self) -> &[u32] {
        &self.0.groups
    }

    /// Returns whether `gid` is the effective group or a supplementary group.
    pub fn in_group(&self, gid: u32) -> bool {
        self.0.gid == gid || self.0.groups.contains(&gid)
    }

    /// Returns the process id, or `None` for a process in a PID namespace that is not visible from here.
    ///
    /// Use it only for logs: the process may have ended and another may have its id.
    pub fn pid(&self) -> Option<u32> {
        self.0.pid
    }

    /// Keeps a value until the caller's connection ends, and drops it then: a lock, a subscription, a temporary
    /// file.
    ///
    /// ```standalone_crate
    /// use dockipc::{Failure, Peer, State, command};
    /// use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    ///
    /// /// The right to edit, which one client has at a time.
    /// struct Editing(State<AtomicBool>);
    ///
    /// impl Drop for Editing {
    ///     fn drop(&mut self) {
    ///         self.0.store(false, Relaxed);
    ///     }
    /// }
    ///
    /// /// Begin to edit. It ends with `edit-end`, or with the connection.
    /// #[command]
    /// fn edit(peer: Peer, is_edited: State<AtomicBool>) -> Result<(), Failure> {
    ///     if is_edited.swap(true, Relaxed) {
    ///         return Err(Failure::new("EDITED", "another client edits"));
    ///     }
    ///     peer.hold(Editing(is_edited.clone()));
    ///     Ok(())
    /// }
    ///
    /// /// End to edit.
    /// #[command]
    /// fn edit_end(peer: Peer) -> Result<(), Failure> {
    ///     let editing = peer.release::<Editing>();
    ///     editing.map(drop).ok_or_else(|| Failure::new("NOTEDITING", "you do not edit"))
    /// }
    /// # let daemon = dockipc::Server::new().state(AtomicBool::new(false)).spawn_in_process()?;
    /// # let client = daemon.client();
    /// # client.command("edit").call::<()>()?;
    /// # client.command("edit-end").call::<()>()?;
    /// # assert!(client.command("edit-end").call::<()>().is_err());
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    ///
    /// The value is dropped however the connection ends: the client closes it or is killed, an operator kills it
    /// (`CLIENT KILL`), a timeout ends it, the server stops. It is not dropped in a forked child. Several
    /// are dropped in reverse order, as local variables are.
    ///
    /// A connection ends after the command that runs in it has returned; that is asked to stop first (see
    /// [`Cancel`](crate::Cancel)). A command whose answer comes later is not waited for.
    ///
    /// In line mode the connection ends after the answer, and so does the value. Our [`Client`](crate::Client)
    /// keeps its connection as long as it exists, and makes another one when it was cut off.
    ///
    /// If the connection has ended already, as a `Peer` that was cloned may notice, the value is dropped at once.
    /// Dropping may block without delaying other clients; dockipc holds no lock meanwhile, and catches a panic.
    pub fn hold<T: Send + 'static>(&self, value: T) {
        self.hold_boxed(Box::new(value));
    }

    fn hold_boxed(&self, value: Box<dyn Any + Send>) {
        let mut held = self.held();
        if self.0.has_ended.load(Ordering::Relaxed) {
            drop(held);
            drop(value);
        } else {
            held.get_or_insert_default().push(value);
        }
    }

    /// Returns the value of this type that the connection was given last by [`hold`](Self::hold), which is then no
    /// longer kept.
    pub fn release<T: Send + 'static>(&self) -> Option<T> {
        let value = {
            let mut held = self.held();
            let values = held.as_mut()?;
            let at = values.iter().rposition(|value| value.is::<T>())?;
            values.remove(at)
        };
        value.downcast().ok().map(|value| *value)
    }

    /// The connection ends: nothing is kept any more. Returns whether values are kept.
    pub(crate) fn end(&self) -> bool {
        let held = self.held();
        // `Relaxed`: read with the lock held.
        self.0.has_ended.store(true, Ordering::Relaxed);
        held.is_some()
    }

    /// Drops the values that are kept, the last first.
    #[cold]
    pub(crate) fn drop_held(&self) {
        let held = self.held().take();
        for value in held.into_iter().flat_map(|held| held.into_iter().rev()) {
            caught(|| drop(value));
        }
    }

    fn held(&self) -> MutexGuard<'_, Option<Box<Held>>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("uid", &self.uid())
            .field("gid", &self.gid())
            .field("pid", &self.pid())
            .field("groups", &self.groups())
            .finish()
    }
}
