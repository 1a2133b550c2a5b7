//! What a client says first on a connection.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::commands::Words;
use crate::access::Token;
use crate::buffer::wipe;
use crate::error::Result;

/// Asks for RESP3, whose answers keep their types.
const HELLO: &[u8] = b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n";

/// A token, and which daemons it is sent to.
#[derive(Clone)]
pub(super) struct Credential {
    pub(super) source: Source,
    pub(super) recipients: Recipients,
}

/// The daemons that a token is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recipients {
    /// All: the caller gave the token for this path.
    All,
    /// Those of root and of this process's own user: the token is for no path in particular.
    Trusted,
    /// None: whose daemon it is cannot be seen.
    #[cfg(feature = "cli")]
    None,
}

/// Where a client has its token from.
#[derive(Clone)]
pub(super) enum Source {
    Given(Token),
    /// Read for each connection, so that a new one is seen.
    File(Arc<Path>),
}

/// What is said first, and whether a token is in it.
pub(super) struct Greeting {
    pub(super) bytes: Cow<'static, [u8]>,
    pub(super) has_token: bool,
}

impl Source {
    /// The file that `DOCKIPC_TOKEN_FILE` names, or else the token that is `DOCKIPC_TOKEN`.
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

impl Greeting {
    pub(super) fn new(source: Option<&Source>) -> Result<Self> {
        let Some(source) = source else {
            return Ok(Self { bytes: Cow::Borrowed(HELLO), has_token: false });
        };
        let mut words = Words::new("HELLO");
        for word in ["3", "AUTH", "default"] {
            words.add(word);
        }
        words.add(source.token()?.bytes());
        Ok(Self { bytes: Cow::Owned(words.command().bytes.to_vec()), has_token: true })
    }
}

impl Drop for Greeting {
    fn drop(&mut self) {
        if let Cow::Owned(bytes) = &mut self.bytes {
            wipe(bytes);
        }
    }
}
