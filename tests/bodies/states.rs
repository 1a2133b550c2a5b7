//! The commands of this program, and what they use.

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::io::{self, BufRead, ErrorKind, Read};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use dockipc::{Body, Server, State, Stream, command};
use tests::gate::Gate;
use tests::{Daemon, PATIENCE, resp};

/// Answer with the length of the body and a hash of it.
#[command]
fn measure(body: Body) -> io::Result<String> {
    hashed(body)
}

/// Answer with a name and the body.
#[command]
fn label(
    name: &str,
    #[arg(flag)] loud: bool,
    /// The bytes to be labelled.
    mut bytes: Body,
) -> io::Result<Vec<u8>> {
    let mut all = format!("{name}:").into_bytes();
    bytes.read_to_end(&mut all)?;
    if loud {
        all.make_ascii_uppercase();
    }
    Ok(all)
}

/// Answer with the lines of the body.
#[command]
fn lines(body: Body) -> io::Result<Vec<String>> {
    body.lines().collect()
}

/// Answer with the first byte.
#[command]
fn first_byte(mut body: Body) -> io::Result<char> {
    let mut byte = [0];
    body.read_exact(&mut byte)?;
    Ok(byte[0].into())
}

/// Pass the gate, and answer with the length of the body.
#[command]
fn wait_and_measure(gate: State<Gate>, ends: State<Ends>, body: Body) -> io::Result<u64> {
    gate.pass();
    ends.read(body)
}

/// Read to the end, and tell the test how that was.
#[command]
fn read_all(ends: State<Ends>, body: Body) -> io::Result<u64> {
    ends.read(body)
}

/// Read to the end, and answer with the bytes that came before an error.
#[command]
fn read_some(mut body: Body) -> u64 {
    io::copy(&mut body, &mut io::sink()).unwrap_or(1)
}

/// Drop the body, and pass the gate.
#[command]
fn ignore_body(gate: State<Gate>, body: Body) {
    drop(body);
    gate.pass();
}

/// Answer, and let another thread read.
#[command]
fn pass_body_on(ends: State<Ends>, body: Body) {
    std::thread::spawn(move || ends.read(body));
}

/// Panic after the first byte.
#[command]
fn fall_over(mut body: Body) {
    body.read_exact(&mut [0]).unwrap();
    panic!("on purpose");
}

/// Answer with what comes, while it comes.
#[command]
fn back(mut body: Body) -> Stream<Vec<u8>> {
    Stream::new(move |sink| {
        let mut buffer = vec![0; 100_000];
        loop {
            match body.read(&mut buffer)? {
                0 => return Ok(()),
                n => sink.send(buffer[..n].to_vec())?,
            }
        }
    })
}

/// Pass the gate.
#[command]
fn pass_gate(gate: State<Gate>) {
    gate.pass();
}

/// Take no body.
#[command]
fn plain(word: Option<String>) -> String {
    word.unwrap_or_default()
}

/// How the reading of bodies has ended.
#[derive(Clone)]
pub(super) struct Ends(Arc<Mutex<Sender<Result<u64, ErrorKind>>>>);

impl Ends {
    fn read(&self, mut body: Body) -> io::Result<u64> {
        let result = io::copy(&mut body, &mut io::sink());
        self.tell(&result);
        result
    }

    pub(super) fn tell(&self, result: &io::Result<u64>) {
        let end = result.as_ref().map_or_else(|error| Err(error.kind()), |n| Ok(*n));
        // The test may have ended.
        let _ = self.0.lock().unwrap().send(end);
    }
}

pub(super) fn hashed(mut body: impl Read) -> io::Result<String> {
    let (mut hasher, mut length, mut buffer) = (DefaultHasher::new(), 0, vec![0; 50_000]);
    loop {
        match body.read(&mut buffer)? {
            0 => return Ok(format!("{length}:{:016x}", hasher.finish())),
            n => {
                length += n;
                buffer[..n].iter().for_each(|byte| hasher.write_u8(*byte));
            }
        }
    }
}

/// A daemon, and what its commands use.
pub(super) struct Reading {
    pub(super) daemon: Daemon,
    pub(super) gate: Gate,
    pub(super) ends: Receiver<Result<u64, ErrorKind>>,
}

impl Reading {
    pub(super) fn start(server: Server) -> Self {
        let gate = Gate::default();
        let (sender, ends) = channel();
        let server = server.state(gate.clone()).state(Ends(Arc::new(Mutex::new(sender))));
        Self { daemon: Daemon::start(server), gate, ends }
    }

    /// Returns how the reading of a body has ended.
    pub(super) fn end(&self) -> Result<u64, ErrorKind> {
        self.ends.recv_timeout(PATIENCE).expect("an end")
    }
}

/// Opens a call whose body follows.
pub(super) fn opened(words: &[&str]) -> Vec<u8> {
    resp(&[&["dockipc", "with", "body", "1", "--"], words].concat())
}

/// A part of a body.
pub(super) fn data(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    resp(&[&b"dockipc"[..], b"data", bytes.as_ref()])
}

/// The end of a body.
pub(super) fn end() -> Vec<u8> {
    resp(&["dockipc", "end"])
}

/// Bytes that are no text, and not the same anywhere.
pub(super) fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}
