//! [`Token`], a shared secret for clients that their uid does not tell apart.

use std::ffi::OsStr;
use std::fmt;
use std::hint::black_box;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::buffer::{Buffer, wipe};
use crate::directory::{Directory, OpenError, open_at};
use crate::error::Error;

/// The fewest bytes of a token; fewer could be guessed.
const SHORTEST: usize = 16;
const LONGEST: usize = 1024;

/// A secret that clients and the daemon share. Its `Debug` output hides it.
#[derive(Clone)]
pub(crate) struct Token(Arc<Buffer>);

/// The file of a server's token.
pub(crate) struct TokenFile {
    path: PathBuf,
    /// [`Token::read`]. A daemon without a token file does not contain it.
    read: fn(&Path) -> Result<Token, Error>,
}

impl TokenFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, read: Token::read }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn read(&self) -> Result<Token, Error> {
        (self.read)(&self.path)
    }
}

impl Token {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut token = Buffer::with_capacity(bytes.len());
        token.extend_from_slice(bytes);
        Self(token.into())
    }

    /// Reads a token from the first line of a file that only its owner can read or replace.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let bad = |reason: &str| Error::bad_token_file(path, reason);
        let reading =
            |errno| Error::io(format_args!("reading the token file {}", path.display()), errno);
        // A user who can replace the file, say with a link to a file of root's whose first line is known,
        // knows the token.
        let directory = Directory::of(path).map_err(|failed| match failed {
            OpenError::System(Errno::NOENT | Errno::NOTDIR) => bad("it does not exist"),
            OpenError::System(Errno::ACCESS) => bad("permission denied"),
            OpenError::System(errno) => reading(errno),
            link @ OpenError::Link { .. } => bad(&format!("{link}")),
        })?;
        if let Some(other) = directory.other() {
            return Err(bad(&format!(
                "{other}, and so can replace it; move it to another directory"
            )));
        }
        // NONBLOCK: opening a pipe without a writer does not wait.
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let name = path.file_name().unwrap_or(OsStr::new("."));
        let opened = open_at(directory.descriptor.as_fd(), name, flags, Mode::empty());
        let opened = opened.map_err(|errno| match errno {
            Errno::NOENT => bad("it does not exist"),
            Errno::LOOP => bad("it is a symbolic link, or behind too many; name the file itself"),
            Errno::NXIO => bad("it is not a regular file"),
            Errno::ACCESS => bad("permission denied"),
            errno => reading(errno),
        })?;
        let stat = rustix::fs::fstat(&opened).map_err(reading)?;
        let user = crate::sys::effective_user();
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(bad("it is not a regular file"));
        }
        check(path, stat.st_uid, stat.st_mode & 0o7777, user).map_err(|reason| bad(&reason))?;
        let most = LONGEST + b"\r\n".len();
        let mut text = Buffer::with_capacity(most);
        text.as_vec().resize(most, 0);
        let mut length = 0;
        while length < most {
            match rustix::io::read(&opened, &mut text.as_vec()[length..]) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(reading(errno)),
            }
        }
        let line = text[..length].split(|&b| b == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match line.len() {
            ..SHORTEST => {
                Err(bad(&format!("its first line, the token, has fewer than {SHORTEST} bytes")))
            }
            SHORTEST..=LONGEST => Ok(Self::new(line)),
            _ => Err(bad(&format!("its first line, the token, has more than {LONGEST} bytes"))),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns whether a client has sent this token. The time depends only on the length of the sent
    /// bytes, which the client knows.
    pub(crate) fn is(&self, given: &[u8]) -> bool {
        // Padded with zeros to a constant length. In place, since a moved array would leave a copy.
        let (mut ours, mut theirs) = ([0; LONGEST], [0; LONGEST]);
        for (padded, bytes) in [(&mut ours, &self.0[..]), (&mut theirs, given)] {
            let length = bytes.len().min(LONGEST);
            padded[..length].copy_from_slice(&bytes[..length]);
        }
        let mut different = self.0.len() ^ given.len();
        for (a, b) in ours.iter().zip(&theirs) {
            // The compiler must not stop early.
            different = black_box(different | usize::from(a ^ b));
        }
        wipe(&mut ours);
        wipe(&mut theirs);
        different == 0
    }
}

/// Checks the owner and the mode of a token file as ssh does for a user's files. Root may own the file,
/// since root could read and change it anyway.
fn check(path: &Path, owner: u32, mode: u32, user: u32) -> Result<(), String> {
    let seen = format_args!("it is owned by uid {owner} and has mode {mode:04o}");
    let path = path.display();
    if owner != user && owner != 0 {
        return Err(format!("{seen}; it must be owned by uid {user}: chown {user} {path}"));
    }
    if mode & 0o077 != 0 {
        return Err(format!("{seen}; only its owner may have permissions: chmod 600 {path}"));
    }
    Ok(())
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{LONGEST, Token, check};

    #[test]
    fn token_equals_only_itself() {
        for length in [1, 16, LONGEST] {
            let token = Token::new(&vec![b'a'; length]);
            assert!(token.is(&vec![b'a'; length]));
            assert!(!token.is(b""));
            assert!(!token.is(&vec![b'a'; length + 1]));
            assert!(!token.is(&vec![b'a'; length - 1]));
            assert!(!token.is(&[&vec![b'a'; length][..], b"\0"].concat()));
            assert!(!token.is(&vec![b'a'; length + LONGEST]));
            for at in 0..length {
                let mut other = vec![b'a'; length];
                other[at] = b'b';
                assert!(!token.is(&other), "{at}");
            }
        }
    }

    #[test]
    fn debug_output_hides_the_token() {
        assert_eq!(format!("{:?}", Token::new(b"hurra")), "…");
    }

    #[test]
    fn token_file_is_for_its_owner_only() {
        let check = |owner, mode, user| check(Path::new("t"), owner, mode, user);
        assert_eq!(check(7, 0o600, 7), Ok(()));
        assert_eq!(check(7, 0o400, 7), Ok(()));
        assert_eq!(check(0, 0o400, 7), Ok(()));
        for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666] {
            assert!(check(7, mode, 7).is_err(), "{mode:o}");
        }
        for user in [0, 7] {
            assert!(check(8, 0o600, user).is_err(), "{user}");
        }
    }
}
