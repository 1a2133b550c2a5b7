//! Follows files: the last lines, and each new one when it is written.
//!
//! `cargo run --example tail [SOCKET]`
//!
//! A stream goes on until its caller leaves. `tail` is marked idempotent, so that Redis clients can subscribe to it.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::time::Duration;

use dockipc::{Cancel, Server, Stream, command};

/// Time between two looks at a file to which nothing was added.
const PAUSE: Duration = Duration::from_millis(250);

/// Bytes of a line that are sent as one item. A longer line has several.
const LONGEST_LINE: usize = 64 * 1024;

/// Answer with the last lines of a file, and with each new line.
///
/// It ends when the caller leaves. A file that is replaced or that becomes shorter, as logs do when they are rotated,
/// is read from its beginning.
#[command(idempotent)]
fn tail(
    /// The number of lines that come first
    #[arg(long, default = 10)]
    lines: usize,
    /// End with the last line that is there
    #[arg(flag)]
    no_follow: bool,
    /// The file; a relative path begins at the daemon's directory
    path: PathBuf,
    cancel: Cancel,
) -> io::Result<Stream<String>> {
    let mut log = Log::open(path, lines)?;
    Ok(Stream::new(move |sink| {
        loop {
            while let Some(line) = log.next_line(no_follow)? {
                sink.send(line)?;
            }
            if no_follow {
                return Ok(());
            }
            cancel.wait(PAUSE);
            cancel.check()?;
            log.reopen_if_replaced()?;
        }
    }))
}

/// A file that is followed.
struct Log {
    path: PathBuf,
    reader: BufReader<File>,
    /// The beginning of a line whose end is not written yet.
    line: Vec<u8>,
}

impl Log {
    fn open(path: PathBuf, lines: usize) -> io::Result<Self> {
        let mut file = File::open(&path)?;
        let start = last_lines(&file, lines)?;
        file.seek(SeekFrom::Start(start))?;
        Ok(Self { path, reader: BufReader::new(file), line: Vec::new() })
    }

    /// Returns the next line, if all of it is there; with `is_last`, also one without a newline.
    fn next_line(&mut self, is_last: bool) -> io::Result<Option<String>> {
        let room = LONGEST_LINE - self.line.len();
        self.reader.by_ref().take(room as u64).read_until(b'\n', &mut self.line)?;
        let is_whole = self.line.ends_with(b"\n");
        if is_whole {
            self.line.pop();
        } else if self.line.len() < LONGEST_LINE && (!is_last || self.line.is_empty()) {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&self.line).into_owned();
        self.line.clear();
        Ok(Some(line))
    }

    /// Begins again if another file has the name now, or if the file was made shorter.
    fn reopen_if_replaced(&mut self) -> io::Result<()> {
        let followed = self.reader.get_ref().metadata()?;
        // While a log is rotated, there is none for a moment.
        let is_replaced = fs::metadata(&self.path)
            .is_ok_and(|named| (named.dev(), named.ino()) != (followed.dev(), followed.ino()));
        if is_replaced {
            self.reader = BufReader::new(File::open(&self.path)?);
        } else if followed.len() < self.reader.stream_position()? {
            self.reader.rewind()?;
        } else {
            return Ok(());
        }
        self.line.clear();
        Ok(())
    }
}

/// Returns where the last lines of a file begin.
fn last_lines(file: &File, mut lines: usize) -> io::Result<u64> {
    let mut block = [0; 4096];
    let end = file.metadata()?.len();
    let mut start = end;
    while lines > 0 && start > 0 {
        let block = &mut block[..usize::try_from(start).unwrap_or(usize::MAX).min(4096)];
        start -= block.len() as u64;
        file.read_exact_at(block, start)?;
        for (offset, byte) in block.iter().enumerate().rev() {
            let next = start + offset as u64 + 1;
            // The newline at the end belongs to the last line.
            if *byte == b'\n' && next < end {
                lines -= 1;
                if lines == 0 {
                    return Ok(next);
                }
            }
        }
    }
    Ok(start)
}

fn main() -> dockipc::Result<()> {
    let socket = examples::socket("tail");
    examples::show(
        &socket,
        &[
            "echo 'tail /var/log/syslog' | nc -U SOCKET",
            "redis-cli -s SOCKET psubscribe 'tail /var/log/syslog'",
            "cargo run -q --example client SOCKET tail /var/log/syslog",
        ],
    );
    // It reads files as this user, so nobody else may connect.
    Server::new().mode(0o600).run(socket)
}
