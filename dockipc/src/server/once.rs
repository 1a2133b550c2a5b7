//! Lets a server remember the answers to calls with a token.
//!
//! Only here is the code for that named, so that a program without it does not contain it.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Server;
use crate::dispatch::Service;
use crate::error::Result;
use crate::once::{Open, open};

/// The store that a server opens when it starts, and its file.
pub(super) struct OnceStore {
    pub(super) open: Open,
    pub(super) path: Option<PathBuf>,
}

impl OnceStore {
    fn new(path: Option<PathBuf>) -> Self {
        Self { open, path }
    }
}

/// Opens the store of a server that starts. An error of the kind `Interrupted` if a signal comes meanwhile.
pub(super) fn give(
    store: Option<OnceStore>,
    service: &mut Arc<Service>,
    signals: Option<&UnixStream>,
) -> Result<()> {
    let Some(OnceStore { open, path }) = store else { return Ok(()) };
    // Not shared yet.
    if let Some(service) = Arc::get_mut(service) {
        service.once = Some(open(service.config.once, path, signals)?);
    }
    Ok(())
}

/// Calls that run exactly once.
impl Server {
    /// Runs each call with a token once, however often its client repeats it after a lost connection: the daemon
    /// remembers the answer. A client asks for that with [`Call::once`](crate::client::Call::once); by hand it is
    /// `DOCKIPC WITH once <token> -- add 2`.
    ///
    /// ```standalone_crate
    /// use dockipc::{Server, State, command};
    /// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    ///
    /// /// Add `n` and answer with the new total.
    /// #[command]
    /// fn add(total: State<AtomicU64>, n: u64) -> u64 {
    ///     total.fetch_add(n, Relaxed) + n
    /// }
    ///
    /// let daemon = Server::new().once().state(AtomicU64::new(0)).spawn_in_process()?;
    /// let client = daemon.client();
    /// for _ in 0..2 {
    ///     // The same token twice, as after a lost answer.
    ///     assert_eq!(client.command("add").arg(2).once_as("a-token").call::<u64>()?, 2);
    /// }
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    ///
    /// A repeat gets the first run's answer, an error included. One that arrives while the command runs waits for the
    /// answer. The command runs on when its client leaves, so that the repeat gets it; only a client that cancels the
    /// call, or whose deadline passes, asks it to stop. Each repeat is authorized, recorded by the
    /// [`audit`](Self::audit) and shown to the [`hooks`](crate::hooks) as any call. An error of the daemon's by
    /// which the command did not run (`-NOPERM`, `-USAGE`, `-BUSY`, `-SHUTDOWN`) is not remembered. The command's own
    /// errors are, whatever their code, and so is a panic: the repeat gets `-PANIC`.
    ///
    /// A token belongs to the caller's user, and to one call: with other words it is a `-USAGE`. A caller that has sent
    /// the [access token](Self::token_file) has tokens of its own, apart from those of the same user without it: send
    /// it with each repeat, or with none. Streams, bodies,
    /// subscriptions and transactions take no token. Built-in commands ignore it: they can be repeated.
    ///
    /// The answers are in memory, within bounds ([`max_once`](Self::max_once), [`once_timeout`](Self::once_timeout)).
    /// A token whose answer was dropped gets `-FORGOTTEN`, and nothing runs. With [`once_file`](Self::once_file) they
    /// survive a restart; without, our client does not repeat a call at a daemon that was restarted, and its caller
    /// gets the error that the call may have run.
    ///
    /// By default it is off, and a client that asks for it is refused before it sends the command.
    pub fn once(mut self) -> Self {
        self.once.get_or_insert_with(|| OnceStore::new(None));
        self
    }

    /// Remembers the answers to calls with a token, as [`once`](Self::once) does, in this file, so that a call that
    /// is repeated after a restart of the daemon does not run again.
    ///
    /// The file is created with mode 0600. It is a regular file of the daemon's user that nobody else can use, in a
    /// directory that no other user can write to; links are not followed. One daemon has it locked; a start waits up
    /// to 15 s for an earlier daemon that ends, or until a signal stops it. It has the tokens and the answers, and a hash of each call's words.
    ///
    /// The daemon writes that a command begins, and, before the answer is sent, the answer. So after `kill -9` a
    /// token is in one of three states: its answer is there, and a repeat gets it; the command had not begun, and a
    /// repeat runs it; or it had begun, and nobody knows whether it had its effect. Then a repeat gets `-FORGOTTEN`,
    /// and nothing runs: at most the calls that ran at that moment are unknown, and none runs twice. A command that
    /// takes [`Once`](crate::Once) is run again instead, and finds in its own records whether it had its effect.
    ///
    /// The file is not synced, since that would cost milliseconds for each call: it survives the end of the process,
    /// and a crash of the machine may lose the last records. If a record can't be written, the command does not run.
    ///
    /// # Errors
    /// When the server starts: [`Error::Io`](crate::Error::Io) if the file can't be used.
    pub fn once_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.once = Some(OnceStore::new(Some(path.into())));
        self
    }

    /// Limits how many answers to calls with a token are remembered, and their bytes. Default: 10,000 answers and
    /// 8 MiB. The oldest answers go first, and those of the user who has the most. Their tokens are remembered, up
    /// to ten for each answer, so that a repeat gets `-FORGOTTEN`. A quarter of this number of calls with tokens can
    /// run for one user at a time.
    pub fn max_once(mut self, answers: usize, bytes: usize) -> Self {
        (self.config.once.answers, self.config.once.bytes) = (answers, bytes);
        self
    }

    /// Limits how long the answer to a call with a token is remembered. Default: 10 minutes. Then a repeat gets
    /// `-FORGOTTEN`. Our client repeats a call within its timeout, or for a minute.
    pub fn once_timeout(mut self, limit: Duration) -> Self {
        self.config.once.time = limit;
        self
    }
}
