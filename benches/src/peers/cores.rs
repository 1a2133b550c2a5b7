//! The epoll floor on all CPUs: a thread for each, one epoll set, one queue of the connections that are ready.

use std::collections::VecDeque;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use super::epoll::{Answers, Connection, turn};
use crate::Res;

/// The state that the threads share.
#[derive(Default)]
struct Shared {
    ready: VecDeque<usize>,
    connections: Vec<Option<Arc<Mutex<Connection>>>>,
}

/// Runs the server. The queue keeps a thread from taking several events and serving them one after another
/// while another thread has nothing to do.
pub(crate) fn serve(socket: &Path, answers: Answers) -> Res<()> {
    let listener = UnixListener::bind(socket)?;
    let set = epoll::create(CreateFlags::CLOEXEC)?;
    let shared = Mutex::new(Shared::default());
    let run = || {
        let (mut input, mut output) = ([0; 8192], Vec::new());
        let mut events = Vec::with_capacity(256);
        loop {
            while let Some((index, connection)) = next(&shared) {
                output.clear();
                let is_alive = turn(&mut lock(&connection), &mut input, &mut output, answers);
                if !is_alive {
                    lock(&shared).connections[index] = None;
                }
            }
            events.clear();
            // EINTR is a wait without events.
            let _ = epoll::wait(&set, rustix::buffer::spare_capacity(&mut events), None);
            let ready = events.iter().map(|event| event.data.u64() as usize);
            lock(&shared).ready.extend(ready);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism()?.get() {
            scope.spawn(run);
        }
        for (index, stream) in listener.incoming().enumerate() {
            let stream = stream?;
            stream.set_nonblocking(true)?;
            let connection = Arc::new(Mutex::new(Connection::new(stream)));
            lock(&shared).connections.push(Some(Arc::clone(&connection)));
            let data = EventData::new_u64(index as u64);
            epoll::add(&set, &lock(&connection).stream, data, EventFlags::IN | EventFlags::ET)?;
        }
        Ok(())
    })
}

/// Takes the next connection that is ready.
fn next(shared: &Mutex<Shared>) -> Option<(usize, Arc<Mutex<Connection>>)> {
    let mut shared = lock(shared);
    loop {
        let index = shared.ready.pop_front()?;
        if let Some(connection) = &shared.connections[index] {
            return Some((index, Arc::clone(connection)));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
