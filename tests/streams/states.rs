//! The states of the commands of this program.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use dockipc::{Server, Stopped};
use tests::{Daemon, resp};

/// What the commands have made, and what is left of it.
#[derive(Default)]
pub(super) struct Made {
    pub(super) bytes: AtomicU64,
    pub(super) alive: AtomicUsize,
}

/// The items that a test gives to a command.
pub(super) type Given = Mutex<Option<Receiver<u32>>>;

/// The end of a stream, as its code sees it.
#[derive(Clone)]
pub(super) struct Told(Arc<Mutex<Sender<Stopped>>>);

impl Told {
    pub(super) fn tell(&self, why: Stopped) {
        // The test may have ended.
        let _ = self.0.lock().unwrap().send(why);
    }
}

/// A daemon, and what its commands use.
pub(super) struct Streaming {
    pub(super) daemon: Daemon,
    pub(super) made: Arc<Made>,
    pub(super) given: Sender<u32>,
    pub(super) reasons: Receiver<Stopped>,
}

impl Streaming {
    pub(super) fn start(server: Server) -> Self {
        let made = Arc::<Made>::default();
        let (given, items) = channel();
        let (told, reasons) = channel();
        let server = server.state(Arc::clone(&made)).state(Given::new(Some(items)));
        let daemon = Daemon::start(server.state(Told(Arc::new(Mutex::new(told)))));
        Self { daemon, made, given, reasons }
    }
}

/// Connects in RESP3.
pub(super) fn in_resp3(daemon: &Daemon) -> UnixStream {
    let mut stream = daemon.connect();
    stream.write_all(&[resp(&["hello", "3"]), resp(&["echo", "mark"])].concat()).unwrap();
    let (mut got, mut byte) = (Vec::new(), [0]);
    while !got.ends_with(b"$4\r\nmark\r\n") {
        stream.read_exact(&mut byte).unwrap();
        got.extend(byte);
    }
    stream
}
