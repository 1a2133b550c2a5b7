//! Runs the program `dockipc`.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::{PATIENCE, Place};

/// Returns the path of the built program.
pub fn path() -> PathBuf {
    // target/<profile>/deps/<this test>
    let this = std::env::current_exe().expect("this test's path");
    this.ancestors().nth(2).expect("the profile's directory").join("test-dockipc")
}

/// Returns a link to the program with another name, as for a daemon's own program.
pub fn named(place: &Place, name: &str) -> PathBuf {
    let link = place.directory().join(name);
    if !link.exists() {
        symlink(path(), &link).expect("a link");
    }
    link
}

/// The result of a run.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    /// The exit code; `None` if a signal ended the program.
    pub code: Option<i32>,
    /// The bytes of standard output.
    pub out: Vec<u8>,
    /// The text of standard error.
    pub err: String,
}

impl Ran {
    /// Returns standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }
}

/// Returns a command without the variables of this test that `dockipc` reads.
pub fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for variable in [
        "DOCKIPC_SOCKET",
        "DOCKIPC_REQUIRE_OWNER",
        "DOCKIPC_TOKEN",
        "DOCKIPC_TOKEN_FILE",
        "XDG_RUNTIME_DIR",
        "NO_COLOR",
    ] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

/// Runs `dockipc` with arguments.
pub fn dockipc<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> Ran {
    run(command(&path()).args(words), b"")
}

/// Runs a command with this input until it ends.
pub fn run(command: &mut Command, input: &[u8]) -> Ran {
    if !input.is_empty() {
        command.stdin(Stdio::piped());
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program");
    let Output { status, stdout, stderr } = thread::scope(|scope| {
        if let Some(mut stdin) = child.stdin.take() {
            // The program may end before it has read its input.
            scope.spawn(move || stdin.write_all(input));
        }
        let (process, (done, is_done)) = (Pid::from_child(&child), channel::<()>());
        scope.spawn(move || {
            if is_done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                // A program that hangs fails the test.
                let _ = kill_process(process, Signal::KILL);
            }
        });
        let output = child.wait_with_output().expect("its output");
        drop(done);
        output
    });
    let err = String::from_utf8(stderr).expect("text");
    Ran { code: status.code(), out: stdout, err }
}
