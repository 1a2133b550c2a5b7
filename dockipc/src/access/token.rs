//! The token: what a client has to know where its uid does not tell it apart.

use std::ffi::OsStr;
use std::fmt;
use std::hint::black_box;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::buffer::{Buffer, wipe};
use crate::directory::{Directory, OpenError};
use crate::error::Error;

/// Fewer bytes could be guessed.
const SHORTEST: usize = 16;
const LONGEST: usize = 1024;

/// A secret that clients and daemon have in common. It can't be printed.
#[derive(Clone)]
pub(crate) struct Token(Arc<Buffer>);

impl Token {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut token = Buffer::with_capacity(bytes.len());
        token.extend_from_slice(bytes);
        Self(token.into())
    }

    /// Reads the first line of a file that only its owner can read or replace.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let bad = |reason| Error::BadTokenFile { path: path.to_owned(), reason };
        let reading =
            |error| Error::io(format!("reading the token file {}", path.display()), error);
        // Whoever can put another file of root's there, such as a key whose first line is known,
        // would know the token.
        let directory = Directory::of(path).map_err(|failed| match failed {
            OpenError::System(Errno::NOENT | Errno::NOTDIR) => bad("it does not exist".into()),
            OpenError::System(Errno::ACCESS) => bad("this user may not read it".into()),
            OpenError::System(errno) => reading(errno.into()),
            link @ OpenError::Link { .. } => bad(link.to_string()),
        })?;
        if let Some(other) = directory.other() {
            return Err(bad(format!(
                "{other}, and so can replace it; move it to another directory"
            )));
        }
        // NONBLOCK: a pipe that nobody writes to is told apart, not waited for.
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let name = path.file_name().unwrap_or(OsStr::new("."));
        let opened = rustix::fs::openat(&directory.descriptor, name, flags, Mode::empty());
        let opened = opened.map_err(|errno| match errno {
            Errno::NOENT => bad("it does not exist".into()),
            Errno::LOOP => bad("it is a symbolic link, or behind too many; give the file".into()),
            Errno::NXIO => bad("it is not a file".into()),
            Errno::ACCESS => bad("this user may not read it".into()),
            errno => reading(errno.into()),
        })?;
        let stat = rustix::fs::fstat(&opened).map_err(|errno| reading(errno.into()))?;
        let user = crate::sys::effective_user();
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(bad("it is not a file".into()));
        }
        check(path, stat.st_uid, stat.st_mode & 0o7777, user).map_err(bad)?;
        let most = LONGEST + b"\r\n".len();
        // Reading a file of any length does not have to grow it.
        let mut text = Buffer::with_capacity(2 * most);
        let mut file = std::fs::File::from(opened).take(most as u64);
        file.read_to_end(text.as_vec()).map_err(reading)?;
        let line = text.split(|&b| b == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match line.len() {
            ..SHORTEST => {
                Err(bad(format!("its first line, the token, has fewer than {SHORTEST} bytes")))
            }
            SHORTEST..=LONGEST => Ok(Self::new(line)),
            _ => Err(bad(format!("its first line, the token, has more than {LONGEST} bytes"))),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether a client has given this token. The time that takes depends on the length of what was
    /// given, which the client knows, and on nothing else.
    pub(crate) fn is(&self, given: &[u8]) -> bool {
        // Zeros up to a length that is always the same. In place: an array that is moved leaves a copy.
        let (mut ours, mut theirs) = ([0; LONGEST], [0; LONGEST]);
        for (padded, bytes) in [(&mut ours, &self.0[..]), (&mut theirs, given)] {
            let length = bytes.len().min(LONGEST);
            padded[..length].copy_from_slice(&bytes[..length]);
        }
        let mut different = self.0.len() ^ given.len();
        for (a, b) in ours.iter().zip(&theirs) {
            // The compiler must not see when the end is known.
            different = black_box(different | usize::from(a ^ b));
        }
        wipe(&mut ours);
        wipe(&mut theirs);
        different == 0
    }
}

/// As ssh has it for a user's files: root could read and change them anyway.
fn check(path: &Path, owner: u32, mode: u32, user: u32) -> Result<(), String> {
    let seen = format_args!("it is owned by uid {owner} and has mode {mode:04o}");
    let path = path.display();
    if owner != user && owner != 0 {
        return Err(format!("{seen}, and must be owned by uid {user}: chown {user} {path}"));
    }
    if mode & 0o077 != 0 {
        return Err(format!("{seen}, and others may not use it: chmod 600 {path}"));
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
    fn a_token_is_itself_and_nothing_else() {
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
    fn a_token_is_not_printed() {
        assert_eq!(format!("{:?}", Token::new(b"hurra")), "…");
    }

    #[test]
    fn a_file_is_its_owners_alone() {
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
