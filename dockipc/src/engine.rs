//! Who waits and who runs: a thread for each connection.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use crate::arg::Scratch;
use crate::connection::{Connection, Progress};
use crate::error::{Error, Failure, Result, code};
use crate::peer::Peer;
use crate::server::Shared;

/// The threads of one server.
pub(crate) struct Engine {
    core: Arc<Core>,
}

struct Core {
    shared: Arc<Shared>,
    state: Mutex<State>,
    /// Told when `open` gets empty and when the accepting thread ends.
    ended: Condvar,
}

struct State {
    /// Dropped to wake the accepting thread; none when the server stops.
    alive: Option<UnixStream>,
    open: HashMap<u64, Arc<UnixStream>>,
    accepting: bool,
}

impl Engine {
    pub(crate) fn start(shared: Arc<Shared>, listener: Option<UnixListener>) -> Result<Self> {
        let failed = |e| Error::io("starting the server", e);
        let (alive, wake) = UnixStream::pair().map_err(failed)?;
        let state =
            State { alive: Some(alive), open: HashMap::new(), accepting: listener.is_some() };
        let core = Arc::new(Core { shared, state: Mutex::new(state), ended: Condvar::new() });
        if let Some(listener) = listener {
            listener.set_nonblocking(true).map_err(failed)?;
            let core = Arc::clone(&core);
            let accept = move || core.accept(&listener, &wake);
            thread::Builder::new().name("dockipc".into()).spawn(accept).map_err(failed)?;
        }
        Ok(Self { core })
    }

    /// Serves a connection that was made elsewhere. False when the server stops.
    pub(crate) fn adopt(&self, socket: UnixStream) -> bool {
        self.core.serve(socket)
    }

    pub(crate) fn stop(&self) {
        let mut state = self.core.lock();
        state.alive = None;
        for socket in state.open.values() {
            let _ = socket.shutdown(Shutdown::Read);
        }
        drop(state);
        self.core.ended.notify_all();
    }

    pub(crate) fn join(&self) {
        let mut state = self.core.lock();
        while state.alive.is_some() || state.accepting || !state.open.is_empty() {
            state = self.core.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Core {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: &Arc<Self>, listener: &UnixListener, wake: &UnixStream) {
        loop {
            let mut fds = [
                PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(wake.as_fd(), PollFlags::IN),
            ];
            let _ = poll(&mut fds, None);
            if !fds[1].revents().is_empty() {
                break;
            }
            match listener.accept() {
                Ok((socket, _)) => {
                    self.serve(socket);
                }
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                // No descriptor or memory is left: who is here is served, and the queue waits.
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        }
        self.lock().accepting = false;
        self.ended.notify_all();
    }

    fn serve(self: &Arc<Self>, socket: UnixStream) -> bool {
        // Who can't be told who they are is not served.
        let Ok(peer) = Peer::of(&socket) else { return true };
        let socket = Arc::new(socket);
        let (id, over) = self.shared.count_connection();
        let mut state = self.lock();
        if state.alive.is_none() {
            return false;
        }
        state.open.insert(id, Arc::clone(&socket));
        drop(state);
        let refused = over.then(|| Failure::new(code::BUSY, "too many connections"));
        let connection = Connection::new(&self.shared, id, peer, refused);
        let core = Arc::clone(self);
        let run = move || {
            serve(&core.shared, connection, &socket);
            core.end(id);
        };
        if thread::Builder::new().name("dockipc".into()).spawn(run).is_err() {
            self.end(id);
        }
        true
    }

    fn end(&self, id: u64) {
        self.shared.count_end();
        self.lock().open.remove(&id);
        self.ended.notify_all();
    }
}

fn serve(shared: &Shared, mut connection: Connection, mut socket: &UnixStream) {
    let mut scratch = Scratch::default();
    let (mut input, mut fill, mut out) = (vec![0; 8192], 0, Vec::new());
    'serving: loop {
        if fill == input.len() {
            input.resize(fill * 2, 0);
        }
        match socket.read(&mut input[fill..]) {
            Ok(0) => {
                connection.end_of_input(&input[..fill], &mut out);
                break;
            }
            Ok(n) => fill += n,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return,
        }
        let mut used = 0;
        loop {
            match connection.step(shared, &input[used..fill], &mut scratch, &mut out) {
                Progress::Used(n) => used += n,
                Progress::Wants(n) => {
                    used += n;
                    break;
                }
                Progress::Ends => break 'serving,
            }
        }
        input.copy_within(used..fill, 0);
        fill -= used;
        if socket.write_all(&out).is_err() {
            return;
        }
        out.clear();
    }
    let _ = socket.write_all(&out);
    let _ = socket.shutdown(Shutdown::Write);
    // Closing with unread input would give the client its answer and then ECONNRESET.
    let _ = socket.set_read_timeout(Some(Duration::from_secs(1)));
    let mut left = 1 << 20;
    while left > 0 {
        match socket.read(&mut input) {
            Ok(n @ 1..) => left = usize::saturating_sub(left, n),
            _ => return,
        }
    }
}
