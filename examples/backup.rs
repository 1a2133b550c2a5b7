//! Keeps one file, which clients replace and get, of any size.
//!
//! `cargo run --example backup [SOCKET [FILE]]`
//!
//! Neither direction holds the file in memory. The file is beside the socket unless it is given.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, TryLockError};

use dockipc::{Body, Failure, Server, State, Stream, command};

struct Store {
    path: PathBuf,
    /// Locked while the file is replaced.
    restoring: Mutex<()>,
}

/// Replace the file with the bytes that follow, and answer with their number.
///
/// The file stays as it was if not all bytes arrive. Callers of `backup` get the file that was there when they began.
#[command]
fn restore(
    store: State<Store>,
    /// The new bytes: `-` in `dockipc call`
    body: Body,
) -> Result<u64, Failure> {
    let _restoring = match store.restoring.try_lock() {
        Err(TryLockError::WouldBlock) => {
            return Err(Failure::new("RESTORING", "another restore is under way"));
        }
        other => other,
    };
    let mut new = store.path.clone().into_os_string();
    new.push(".new");
    let new = Path::new(&new);
    let done = write(new, body).and_then(|size| {
        fs::rename(new, &store.path)?;
        Ok(size)
    });
    if done.is_err() {
        let _ = fs::remove_file(new);
    }
    Ok(done?)
}

/// Writes a whole body to a file on the disk. A body that was cut off is an error.
fn write(path: &Path, mut body: Body) -> io::Result<u64> {
    let mut file = File::create(path)?;
    let size = io::copy(&mut body, &mut file)?;
    file.sync_all()?;
    Ok(size)
}

/// Answer with the file.
#[command(idempotent)]
fn backup(store: State<Store>) -> Result<Stream<io::Result<Vec<u8>>>, Failure> {
    let file = File::open(&store.path).map_err(Failure::with("NOFILE"))?;
    Ok(Stream::iter(Pieces(file)))
}

/// The bytes of a file, 64 KiB at a time.
struct Pieces(File);

impl Iterator for Pieces {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut piece = vec![0; 64 * 1024];
        match self.0.read(&mut piece) {
            Ok(0) => None,
            Ok(size) => {
                piece.truncate(size);
                Some(Ok(piece))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

fn main() -> dockipc::Result<()> {
    let socket = examples::socket("backup");
    let file = std::env::args_os().nth(2).map(PathBuf::from);
    let path = file.unwrap_or_else(|| socket.with_extension("file"));
    examples::show(
        &socket,
        &[
            "{ echo restore; cat Cargo.toml; } | nc -N -U SOCKET",
            "echo backup | nc -U SOCKET > copy",
            "dockipc call SOCKET restore - < Cargo.toml",
            "dockipc call SOCKET backup > copy",
        ],
    );
    // Other users may neither read nor replace the file.
    let store = Store { path, restoring: Mutex::default() };
    Server::new().mode(0o600).state(store).run(socket)
}
