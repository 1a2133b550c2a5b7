//! A terminal with a program in it: a window of tmux(1).

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::peers::lacks;
use crate::{PATIENCE, Place, ctl};

/// A window of its own. The program in it ends when this is dropped.
pub struct Terminal {
    /// Where tmux has its socket.
    place: Place,
}

/// In front of the exit code.
const ENDED: &str = "it has ended with ";

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(20);

impl Terminal {
    /// Starts a program, with these variables; none if tmux is not installed.
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
        // tmux' own word of a program's end may get lost: seen with 3.3a on a busy machine. The shell
        // outlives a Ctrl-C, which is the program's.
        let script = format!("trap : INT; \"$@\"; echo '{ENDED}'$?; exec sleep 1000");
        let output = command.args(["sh", "-c", &script, "sh"]).args(words).output().expect("tmux");
        assert!(output.status.success(), "{output:?}");
        Some(terminal)
    }

    /// Types text, as it is.
    #[track_caller]
    pub fn types(&self, text: &str) {
        self.tell(&["send-keys", "-l", "--", text]);
    }

    /// Presses keys by tmux' names: `Enter`, `Tab`, `C-c`.
    #[track_caller]
    pub fn presses(&self, keys: &[&str]) {
        self.tell(&[&["send-keys"], keys].concat());
    }

    /// Types a line.
    #[track_caller]
    pub fn enters(&self, line: &str) {
        self.types(line);
        self.presses(&["Enter"]);
    }

    /// What is to be seen, without blanks at the ends of lines and lines at the end.
    #[track_caller]
    pub fn screen(&self) -> String {
        let screen = self.tell(&["capture-pane", "-p"]);
        let lines: Vec<_> = screen.trim_end().lines().map(str::trim_end).collect();
        lines.join("\n")
    }

    /// The same with the sequences for colours.
    #[track_caller]
    pub fn coloured(&self) -> String {
        self.tell(&["capture-pane", "-pe"])
    }

    /// Waits until the screen is as wanted, and gives it.
    #[track_caller]
    pub fn until(&self, what: &str, is_wanted: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if is_wanted(&screen) {
                return screen;
            }
            assert!(Instant::now() < end, "{what} is not to be seen:\n{screen}");
            thread::sleep(LOOK);
        }
    }

    /// Waits until the screen has this text, and gives it.
    #[track_caller]
    pub fn shows(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text))
    }

    /// Waits until the screen ends like this, and gives it.
    #[track_caller]
    pub fn ends_with(&self, text: &str) -> String {
        self.until(text, |screen| screen.ends_with(text))
    }

    /// Waits for the program's end, and gives its exit code.
    #[track_caller]
    pub fn exit(&self) -> i32 {
        let screen = self.shows(ENDED);
        let (_, code) = screen.rsplit_once(ENDED).expect("the end");
        code.trim().parse().expect("a code")
    }

    #[track_caller]
    fn tell(&self, words: &[&str]) -> String {
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
