//! A daemon that tests start as a process of its own, to kill it, to take things from it and to
//! follow its system calls: there is nothing in the process but the daemon.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, Once};
use std::thread;
use std::time::Duration;

use dockipc::{Access, Secret, Server, State, command};
use rustix::process::{Signal, getpid, getppid, kill_process};
use tests::program::{blob, entries, items};

/// Commands that have run.
#[command("hits")]
fn hits(hits: State<AtomicU64>) -> u64 {
    hits.load(SeqCst)
}

/// Counts.
#[command("hit")]
fn hit(hits: State<AtomicU64>) -> u64 {
    hits.fetch_add(1, SeqCst) + 1
}

/// So many bytes.
#[command("blob")]
fn make_blob(size: usize) -> Vec<u8> {
    blob(size)
}

/// A list.
#[command("items")]
fn make_items(count: usize) -> Vec<String> {
    items(count)
}

/// A map.
#[command("entries")]
fn make_entries(count: usize) -> BTreeMap<String, u64> {
    entries(count)
}

/// A slow command.
#[command("nap")]
fn nap(hits: State<AtomicU64>, milliseconds: u64) -> u64 {
    thread::sleep(Duration::from_millis(milliseconds));
    hits.fetch_add(1, SeqCst) + 1
}

/// Changes the daemon's directory.
#[command("chdir")]
fn chdir(directory: PathBuf) -> io::Result<()> {
    std::env::set_current_dir(directory)
}

/// Takes a secret, and does nothing with it.
#[command("secret")]
fn secret(_secret: Secret<String>) {}

/// Keeps a secret.
#[command("keep")]
fn keep(kept: State<Kept>, secret: Secret<String>) {
    kept.0.lock().expect("the secret").replace(secret);
}

/// Forgets it.
#[command("forget")]
fn forget(kept: State<Kept>) {
    kept.0.lock().expect("the secret").take();
}

#[derive(Default)]
struct Kept(Mutex<Option<Secret<String>>>);

/// Ends the daemon in order. Asked again it does nothing: a second signal would not wait.
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
    let mut server = Server::new().state(AtomicU64::new(0)).state(Kept::default()).open_to_all();
    let octal = |mode: String| u32::from_str_radix(&mode, 8).expect("a mode");
    let file = std::env::var_os("TEST_TOKEN_FILE");
    if let Some(token_file) = file {
        server = server.token_file(token_file).allow("nap", "token");
    }
    // MODE, or `-` for the default; a second path; its mode.
    if let Some(mode) = words.next().filter(|mode| mode != "-") {
        server = server.mode(octal(mode));
    }
    if let Some(second) = words.next() {
        let access = words.next().map_or(Access::all(), |mode| Access::all().mode(octal(mode)));
        server = server.also_at(second, access);
    }
    // Seen in a trace: here it begins.
    let _ = getppid();
    server.run(path)
}
