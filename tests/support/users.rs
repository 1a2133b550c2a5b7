//! Processes of other users: the test program once more, as somebody else, by setpriv(1).

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::program::executable;
use crate::{Place, test_name};

/// Set in the process of somebody else: what it is to do.
const PART: &str = "DOCKIPC_TEST_PART";
/// How long it may take.
const LIFE: Duration = Duration::from_secs(900);
/// What stands before a line that is meant for the test.
const MARK: &str = "says: ";

/// Whether this process can become another user. With `DOCKIPC_REQUIRE_PEERS` set, it must.
pub fn can_be_had() -> bool {
    let tried = Command::new("setpriv").args(["--reuid=65534", "--clear-groups", "true"]).output();
    let can = tried.is_ok_and(|output| output.status.success());
    if !can {
        let what = "skipped: only root, with setpriv, can be another user";
        assert!(std::env::var_os("DOCKIPC_REQUIRE_PEERS").is_none(), "{what}");
        println!("{what}");
    }
    can
}

/// Who a process is.
#[derive(Clone, Copy, Debug)]
pub struct User {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The supplementary groups.
    pub groups: &'static [u32],
}

/// A directory that all users can reach and one of them owns, with a copy of this program.
pub struct Shared {
    place: Place,
    program: PathBuf,
}

impl Shared {
    /// Makes it.
    pub fn new(owner: User) -> Self {
        let place = Place::new();
        // This program may be where others can't go.
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

    /// The directory.
    pub fn directory(&self) -> &Path {
        self.place.directory()
    }

    /// Starts the test of this name in the caller's file as a user, who plays a part.
    #[track_caller]
    pub fn start(&self, test: &str, part: &str, user: User) -> Actor {
        self.start_by(Command::new("setpriv"), test, part, user)
    }

    /// The same by a command that ends in `setpriv`, such as strace's.
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

    /// Has a part played to its end, and returns what was said.
    #[track_caller]
    pub fn play(&self, test: &str, part: &str, user: User) -> Vec<String> {
        self.start(test, part, user).rest()
    }
}

/// The part that this process plays, if it is one of another user.
pub fn part() -> Option<String> {
    let part = std::env::var(PART).ok();
    if part.is_some() {
        // The test's name stands before, on the same line.
        println!();
        // The test waits for its end, so that there has to be one.
        thread::spawn(|| {
            thread::sleep(LIFE);
            std::process::exit(70);
        });
    }
    part
}

/// Says something to the test.
pub fn say(what: impl std::fmt::Display) {
    println!("{MARK}{what}");
}

/// Waits until the test lets this process go, or ends.
pub fn wait_for_the_end() {
    let _ = std::io::stdin().read(&mut [0]);
}

/// A process of a user. It is let go, and has ended, when this is dropped.
pub struct Actor {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<std::process::ChildStdout>,
}

impl Actor {
    /// The next line that it says; none at its end.
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

    /// Lets it go, and returns what it says until it has ended well.
    #[track_caller]
    pub fn end(mut self) -> Vec<String> {
        self.input = None;
        self.rest()
    }

    /// What it says until it has ended well.
    #[track_caller]
    fn rest(mut self) -> Vec<String> {
        let said = std::iter::from_fn(|| self.line()).collect();
        assert!(self.child.wait().expect("its end").success(), "{said:?}");
        said
    }

    /// The number of the process.
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
