//! A terminal in which a program runs: a window of tmux(1).

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::peers::lacks;
use crate::{PATIENCE, Place, ctl};

/// A window of its own tmux server. The program in it is killed when this is dropped.
pub struct Terminal {
    /// The directory of the socket of tmux.
    place: Place,
}

/// The text before the exit code.
const ENDED: &str = "it has ended with ";

/// How often the screen is read.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

impl Terminal {
    /// Starts a program with these variables. Returns `None` if tmux is not installed.
    #[track_caller]
    pub fn open<W: AsRef<OsStr>>(
        words: impl IntoIterator<Item = W>,
        variables: &[(&str, &Path)],
    ) -> Option<Self> {
        if lacks("tmux") {
            return None;
        }
        let terminal = Self { place: Place::new() };
        let mut command = terminal.command(&["-f", "/dev/null", "new-session", "-d"]);
        command.args(["-x", "100", "-y", "30", "env", "LC_ALL=C.UTF-8", "TERM=tmux-256color"]);
        for (variable, value) in variables {
            command.arg(format!("{variable}={}", value.display()));
        }
        // tmux 3.3a on a busy machine may miss a program's end, so that a shell reports it. The
        // shell ignores Ctrl-C, which is for the program.
        let script = format!("trap : INT; \"$@\"; echo '{ENDED}'$?; exec sleep 1000");
        let output = command.args(["sh", "-c", &script, "sh"]).args(words).output().expect("tmux");
        assert!(output.status.success(), "{output:?}");
        Some(terminal)
    }

    /// Types a text.
    #[track_caller]
    pub fn types(&self, text: &str) {
        self.tmux(&["send-keys", "-l", "--", text]);
    }

    /// Presses keys, by their names in tmux: `Enter`, `Tab`, `C-c`.
    #[track_caller]
    pub fn presses(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Types a line and presses Enter.
    #[track_caller]
    pub fn enters(&self, line: &str) {
        self.types(line);
        self.presses(&["Enter"]);
    }

    /// Returns the screen without trailing blanks and empty lines.
    #[track_caller]
    pub fn screen(&self) -> String {
        let screen = self.tmux(&["capture-pane", "-p"]);
        let lines: Vec<_> = screen.trim_end().lines().map(str::trim_end).collect();
        lines.join("\n")
    }

    /// Returns the screen with the escape sequences for colors.
    #[track_caller]
    pub fn colored(&self) -> String {
        self.tmux(&["capture-pane", "-pe"])
    }

    /// Waits until the screen satisfies a condition, and returns it.
    #[track_caller]
    pub fn until(&self, what: &str, is_wanted: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if is_wanted(&screen) {
                return screen;
            }
            assert!(Instant::now() < end, "{what} is not on the screen:\n{screen}");
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Waits until the screen contains a text, and returns it.
    #[track_caller]
    pub fn shows(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text))
    }

    /// Waits until the screen ends with a text, and returns it.
    #[track_caller]
    pub fn ends_with(&self, text: &str) -> String {
        self.until(text, |screen| screen.ends_with(text))
    }

    /// Waits until the program ends, and returns its exit code.
    #[track_caller]
    pub fn exit(&self) -> i32 {
        let screen = self.shows(ENDED);
        let (_, code) = screen.rsplit_once(ENDED).expect("the end");
        code.trim().parse().expect("a code")
    }

    #[track_caller]
    fn tmux(&self, words: &[&str]) -> String {
        let output = self.command(words).output().expect("tmux");
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = ctl::command(Path::new("tmux"));
        command.env_remove("TMUX").env_remove("DISPLAY");
        command.arg("-S").arg(self.place.directory().join("tmux")).args(words);
        command
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.command(&["kill-server"]).output();
    }
}
