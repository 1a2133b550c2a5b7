//! The first commands on a connection: `HELLO`, with the token if there is one, and the client's name.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::commands::CommandBuilder;
use crate::buffer::wipe;
use crate::error::Result;
use crate::token::Token;

/// Requests RESP3, whose answers preserve types, and names the client. By the name, a daemon knows that the
/// client skips push frames, and sends them while a command runs.
const HELLO: &[u8] = b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n\
    *4\r\n$6\r\nCLIENT\r\n$7\r\nSETINFO\r\n$8\r\nLIB-NAME\r\n$7\r\ndockipc\r\n";

/// The length of `HELLO 3` in it.
const SETINFO: usize = 22;

/// A token, and the daemons that it is sent to.
#[derive(Clone)]
pub(super) struct Credential {
    pub(super) source: TokenSource,
    pub(super) recipients: Recipients,
}

/// Which daemons receive a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recipients {
    /// Any daemon: the caller set the token for this path.
    All,
    /// Daemons of root and of this process's user: the token is not specific to a path.
    Trusted,
    /// No daemon: its user is unknown.
    #[cfg(feature = "cli")]
    None,
}

/// Where a client gets its token from.
#[derive(Clone)]
pub(super) enum TokenSource {
    Given(Token),
    /// A file, read for each connection so that a changed token takes effect.
    File(Arc<Path>),
}

/// The encoded commands, which get two answers.
pub(super) struct Handshake {
    pub(super) bytes: Cow<'static, [u8]>,
    pub(super) has_token: bool,
}

impl TokenSource {
    /// Returns the file named by `DOCKIPC_TOKEN_FILE`, or else the token in `DOCKIPC_TOKEN`.
    pub(super) fn from_environment() -> Option<Self> {
        use std::os::unix::ffi::OsStrExt;
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        if let Some(path) = variable("DOCKIPC_TOKEN_FILE") {
            return Some(Self::File(PathBuf::from(path).into()));
        }
        variable("DOCKIPC_TOKEN").map(|token| Self::Given(Token::new(token.as_bytes())))
    }

    fn token(&self) -> Result<Token> {
        match self {
            Self::Given(token) => Ok(token.clone()),
            Self::File(path) => Token::read(path),
        }
    }
}

impl Handshake {
    pub(super) fn without_token() -> Self {
        Self { bytes: Cow::Borrowed(HELLO), has_token: false }
    }

    pub(super) fn new(source: Option<&TokenSource>) -> Result<Self> {
        let Some(source) = source else { return Ok(Self::without_token()) };
        let mut words = CommandBuilder::new("HELLO");
        for word in ["3", "AUTH", "default"] {
            words.add(word);
        }
        words.add(source.token()?.bytes());
        let bytes = [words.command().bytes, &HELLO[SETINFO..]].concat();
        Ok(Self { bytes: Cow::Owned(bytes), has_token: true })
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        if let Cow::Owned(bytes) = &mut self.bytes {
            wipe(bytes);
        }
    }
}
