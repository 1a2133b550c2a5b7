//! Foreign files beside a daemon's socket, which a daemon must not change.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::{Place, leave_socket};

/// A directory for a daemon that also has foreign files.
pub struct Neighbors {
    place: Place,
    _listener: UnixListener,
    names: BTreeSet<String>,
    before: Vec<String>,
}

impl Neighbors {
    /// Creates files, links, directories and sockets, some with names similar to the daemon's own.
    pub fn new() -> Self {
        let place = Place::new();
        let at = |name: &str| place.directory().join(name);
        fs::write(at("s.sock.txt"), "kept").expect("a file");
        fs::write(at(".t.sock.new"), "kept").expect("a file");
        fs::create_dir(at("directory")).expect("a directory");
        symlink("s.sock.txt", at("link")).expect("a link");
        symlink("s.sock", at("link to the socket")).expect("a link");
        let listener = UnixListener::bind(at("t.sock")).expect("a listener");
        leave_socket(at("stale.sock"));
        leave_socket(at(".u.sock.new"));
        let names = names(place.directory());
        let mut neighbors = Self { place, _listener: listener, names, before: Vec::new() };
        neighbors.before = neighbors.look();
        neighbors
    }

    /// Returns the path of the daemon's socket.
    pub fn socket(&self) -> PathBuf {
        self.place.socket()
    }

    /// Checks that the files are unchanged, and that only the daemon's lock was added.
    #[track_caller]
    pub fn check(&self, when: &str) {
        let mut names = names(self.place.directory());
        names.remove("s.sock.lock");
        assert_eq!(names, self.names, "{when}");
        self.check_theirs(when);
    }

    /// Checks that the files are unchanged.
    #[track_caller]
    pub fn check_theirs(&self, when: &str) {
        assert_eq!(self.look(), self.before, "{when}");
        let live = UnixStream::connect(self.place.directory().join("t.sock"));
        assert!(live.is_ok(), "{when}: {live:?}");
    }

    fn look(&self) -> Vec<String> {
        let look = |name: &String| {
            let path = self.place.directory().join(name);
            let Ok(data) = fs::symlink_metadata(&path) else { return format!("{name} is gone") };
            let content =
                if data.is_file() { fs::read_to_string(&path) } else { Ok(String::new()) };
            let target = fs::read_link(&path);
            let (id, mode) = ((data.dev(), data.ino()), data.mode());
            let (content, target) = (content.ok(), target.ok());
            format!("{name}: {id:?} {mode:o} {} {} {content:?} {target:?}", data.uid(), data.size())
        };
        self.names.iter().map(look).collect()
    }
}

impl Default for Neighbors {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the names in a directory.
fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).expect("the directory");
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    entries.map(|entry| name(entry.expect("an entry"))).collect()
}
