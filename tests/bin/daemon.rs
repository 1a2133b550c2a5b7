//! A daemon that tests start as a separate process, to kill it, to measure it, and to trace its system
//! calls. The process does nothing else.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, Once};
use std::thread;
use std::time::Duration;

use dockipc::{
    Access, Answerer, Cancel, Deferred, Secret, Server, State, Stopped, Stream, command,
};
use rustix::process::{Signal, getpid, getppid, kill_process};
use tests::program::{blob, entries, items};

/// Return the number of `hit` and `nap` commands so far.
#[command("hits")]
fn hits(hits: State<AtomicU64>) -> u64 {
    hits.load(SeqCst)
}

/// Count one, and return the new number.
#[command("hit")]
fn hit(hits: State<AtomicU64>) -> u64 {
    hits.fetch_add(1, SeqCst) + 1
}

/// Return `size` bytes.
#[command("blob")]
fn make_blob(size: usize) -> Vec<u8> {
    blob(size)
}

/// Return a list.
#[command("items")]
fn make_items(count: usize) -> Vec<String> {
    items(count)
}

/// Return a list, one item at a time.
#[command("item-stream")]
fn stream_items(count: usize) -> Stream<String> {
    Stream::iter(items(count))
}

/// Return the bytes of a list's items, in chunks.
#[command("chunk-stream")]
fn stream_chunks(count: usize, size: usize) -> Stream<Vec<u8>> {
    Stream::iter((0..count).map(move |_| blob(size)))
}

/// Return a map.
#[command("entries")]
fn make_entries(count: usize) -> BTreeMap<String, u64> {
    entries(count)
}

/// Sleep, and count one.
#[command("nap")]
fn nap(hits: State<AtomicU64>, milliseconds: u64) -> u64 {
    thread::sleep(Duration::from_millis(milliseconds));
    hits.fetch_add(1, SeqCst) + 1
}

/// Wait until the command is asked to stop.
#[command("linger")]
fn linger(cancel: Cancel) -> Result<(), Stopped> {
    while !cancel.wait(Duration::from_secs(600)) {}
    cancel.check()
}

/// The same, as a future.
#[command("drift")]
async fn drift(cancel: Cancel) -> Result<(), Stopped> {
    Err(cancel.cancelled().await)
}

/// Answer later: when the next command of this name comes, or never.
#[command("later")]
fn later(waiting: State<Waiting>, word: String) -> Deferred<String> {
    let (later, answer) = Deferred::new();
    let earlier = waiting.0.lock().expect("the answer").replace((answer, word));
    if let Some((answer, word)) = earlier {
        answer.send(word);
    }
    later
}

#[derive(Default)]
struct Waiting(Mutex<Option<(Answerer<String>, String)>>);

/// Change the daemon's current directory.
#[command("chdir")]
fn chdir(directory: PathBuf) -> io::Result<()> {
    std::env::set_current_dir(directory)
}

/// Change the daemon's root directory.
#[command("chroot")]
fn chroot(directory: PathBuf) -> io::Result<()> {
    std::os::unix::fs::chroot(directory)
}

/// Receive a secret, and do nothing with it.
#[command("secret")]
fn secret(_secret: Secret<String>) {}

/// Store a secret.
#[command("keep")]
fn keep(kept: State<Kept>, secret: Secret<String>) {
    kept.0.lock().expect("the secret").replace(secret);
}

/// Remove the stored secret.
#[command("forget")]
fn forget(kept: State<Kept>) {
    kept.0.lock().expect("the secret").take();
}

#[derive(Default)]
struct Kept(Mutex<Option<Secret<String>>>);

/// Stop the daemon gracefully. Further calls do nothing: a second signal would not wait for commands.
#[command("stop")]
fn stop() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        kill_process(getpid(), Signal::TERM).expect("a signal to oneself");
    });
}

fn main() -> dockipc::Result<()> {
    let mut words = std::env::args().skip(1);
    let path = words.next().expect("the path of the socket");
    let mut server = Server::new().state(AtomicU64::new(0)).state(Kept::default());
    server = server.state(Waiting::default()).open_to_all();
    let octal = |mode: String| u32::from_str_radix(&mode, 8).expect("a mode");
    let file = std::env::var_os("TEST_TOKEN_FILE");
    if let Some(token_file) = file {
        server = server.token_file(token_file).allow("nap", "token");
    }
    if let Ok(rule) = std::env::var("TEST_RULE") {
        server = server.allow("nap", rule);
    }
    // MODE, or `-` for the default; a second path; its mode.
    if let Some(mode) = words.next().filter(|mode| mode != "-") {
        server = server.mode(octal(mode));
    }
    if let Some(second) = words.next() {
        let access = words.next().map_or(Access::all(), |mode| Access::all().mode(octal(mode)));
        server = server.also_at(second, access);
    }
    // A marker in traces: the start begins here.
    let _ = getppid();
    server.run(path)
}
