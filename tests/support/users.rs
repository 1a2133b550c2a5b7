//! Processes of other users: runs this test program again as another user, with setpriv(1).

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::program::executable;
use crate::{Place, test_name};

/// Environment variable with the role of the other user's process.
const PART: &str = "DOCKIPC_TEST_PART";
/// Maximum lifetime of the process.
const LIFE: Duration = Duration::from_secs(900);
/// Prefix of a line that is meant for the test.
const MARK: &str = "says: ";

/// Returns whether tests can start processes of other users. With `DOCKIPC_REQUIRE_PEERS` set, it is a
/// failure if they can't.
pub fn can_be_had() -> bool {
    let tried = Command::new("setpriv").args(["--reuid=65534", "--clear-groups", "true"]).output();
    let can = tried.is_ok_and(|output| output.status.success());
    if !can {
        let what = "skipped: requires root and setpriv";
        assert!(std::env::var_os("DOCKIPC_REQUIRE_PEERS").is_none(), "{what}");
        println!("{what}");
    }
    can
}

/// The credentials of a process.
#[derive(Clone, Copy, Debug)]
pub struct User {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The supplementary groups.
    pub groups: &'static [u32],
}

/// A directory owned by a user and accessible to all, with a copy of this program.
pub struct Shared {
    place: Place,
    program: PathBuf,
}

impl Shared {
    /// Creates the directory.
    pub fn new(owner: User) -> Self {
        let place = Place::new();
        // The original may be in a directory that other users can't access.
        let program = place.directory().join("program");
        let this = File::open(std::env::current_exe().expect("this program"));
        executable(&program, this.expect("this program"));
        fs::set_permissions(place.directory(), Permissions::from_mode(0o711)).expect("its mode");
        chown(place.directory(), Some(owner.uid), Some(owner.gid)).expect("its owner");
        let open = place.directory().join("open");
        fs::create_dir(&open).expect("a directory");
        fs::set_permissions(&open, Permissions::from_mode(0o1777)).expect("its mode");
        Self { place, program }
    }

    /// Returns the directory.
    pub fn directory(&self) -> &Path {
        self.place.directory()
    }

    /// Starts the test of this name in the caller's file as another user, in the given role.
    #[track_caller]
    pub fn start(&self, test: &str, part: &str, user: User) -> Actor {
        self.start_by(Command::new("setpriv"), test, part, user)
    }

    /// Like [`start`](Self::start), with a command that ends in `setpriv`, such as strace's.
    #[track_caller]
    pub fn start_by(&self, mut command: Command, test: &str, part: &str, user: User) -> Actor {
        command.args([format!("--reuid={}", user.uid), format!("--regid={}", user.gid)]);
        let groups: Vec<_> = user.groups.iter().map(u32::to_string).collect();
        if groups.is_empty() {
            command.arg("--clear-groups");
        } else {
            command.arg(format!("--groups={}", groups.join(",")));
        }
        command.arg(&self.program);
        command.args([&*test_name(test), "--exact", "--nocapture", "--test-threads=1"]);
        command.env(PART, part).current_dir(self.directory());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a process");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("its output"));
        Actor { child, input, output }
    }

    /// Runs a role to its end, and returns the lines it printed.
    #[track_caller]
    pub fn play(&self, test: &str, part: &str, user: User) -> Vec<String> {
        self.start(test, part, user).rest()
    }
}

/// Returns the role of this process, if it was started as another user.
pub fn part() -> Option<String> {
    let part = std::env::var(PART).ok();
    if part.is_some() {
        // The test harness has printed the test's name on this line.
        println!();
        // The test waits for this process, so it must end in any case.
        thread::spawn(|| {
            thread::sleep(LIFE);
            std::process::exit(70);
        });
    }
    part
}

/// Prints a line for the test.
pub fn say(what: impl std::fmt::Display) {
    println!("{MARK}{what}");
}

/// Waits until the test closes this process's standard input.
pub fn wait_for_the_end() {
    let _ = std::io::stdin().read(&mut [0]);
}

/// A process of another user. It is killed when this is dropped.
pub struct Actor {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<std::process::ChildStdout>,
}

impl Actor {
    /// Returns the next line for the test; `None` at the end.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.output.read_line(&mut line).expect("a line") == 0 {
                return None;
            }
            if let Some(said) = line.strip_prefix(MARK) {
                return Some(said.trim_end().to_owned());
            }
        }
    }

    /// Closes its standard input, waits until it has ended with success, and returns its remaining
    /// lines.
    #[track_caller]
    pub fn end(mut self) -> Vec<String> {
        self.input = None;
        self.rest()
    }

    /// Waits until it has ended with success, and returns its remaining lines.
    #[track_caller]
    fn rest(mut self) -> Vec<String> {
        let said = std::iter::from_fn(|| self.line()).collect();
        assert!(self.child.wait().expect("its end").success(), "{said:?}");
        said
    }

    /// Returns the process ID.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
