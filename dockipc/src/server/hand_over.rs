//! Clients of another protocol on the same socket.

use std::os::unix::net::UnixStream;

use super::Server;
use crate::engine::Taker;
use crate::hand_over::HandOver;
use crate::peer::Peer;

impl Server {
    /// Lets the program take connections of clients that speak another protocol.
    ///
    /// `decide` is shown the first bytes of each connection, at least one and at most 4096, and answers with a
    /// [`HandOver`] or a `bool`. No byte is consumed. It runs on a thread that serves other clients: it should
    /// only look at the bytes. If it wants [`More`](HandOver::More) and has seen 4096 bytes, or the client sends
    /// nothing more within [`arrival_timeout`](Self::arrival_timeout) or ends its side, the connection is left
    /// to dockipc.
    ///
    /// `take` gets the stream, blocking and with all bytes unread, and the client's credentials. It runs on a
    /// thread of its own and may block. A server has one pair of functions: the last one counts.
    ///
    /// ```
    /// use dockipc::Server;
    /// use std::io::{BufRead, BufReader, Read, Write};
    /// use std::os::unix::net::UnixStream;
    ///
    /// /// The protocol of the daemon's earlier releases: a line of JSON, answered by another one.
    /// fn old_protocol(stream: &UnixStream) -> std::io::Result<()> {
    ///     for line in BufReader::new(stream).lines() {
    ///         let answer = if line?.contains("hits") { "{\"Ok\":7}\n" } else { "{\"Err\":\"unknown\"}\n" };
    ///         (&*stream).write_all(answer.as_bytes())?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// let daemon = Server::new()
    ///     .hand_over(
    ///         |first: &[u8]| first[0] == b'{',
    ///         |stream, peer| {
    ///             if let Err(error) = old_protocol(&stream) {
    ///                 eprintln!("client of uid {}: {error}", peer.uid());
    ///             }
    ///         },
    ///     )
    ///     .spawn_in_process()?;
    /// let mut old = daemon.connect()?;
    /// old.write_all(b"{\"Request\":\"hits\"}\n").expect("a request");
    /// old.shutdown(std::net::Shutdown::Write).expect("its end");
    /// let mut answer = String::new();
    /// old.read_to_string(&mut answer).expect("an answer");
    /// assert_eq!(answer, "{\"Ok\":7}\n");
    /// assert_eq!(daemon.client().send("ping")?, b"PONG");
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    ///
    /// # Access
    ///
    /// The socket's mode and the limits on connections hold: a client that is turned away is not
    /// handed over. Rules, the token and the audit are about commands and do not apply: `take` decides by the
    /// [`Peer`]. Connections at a path of [`also_at`](Self::also_at) are not handed over, since such a path
    /// offers less than the first.
    ///
    /// # Resources
    ///
    /// A connection that is taken counts as a connection, as a running slow command of its user
    /// ([`max_running_per_user`](Self::max_running_per_user)), and as one of
    /// [`max_threads`](Self::max_threads), until `take` has returned. If there is no thread within
    /// [`busy_timeout`](Self::busy_timeout), the client gets a line `-BUSY …`. The other timeouts end: set
    /// those of the stream. `take` may keep the stream elsewhere and return; then dockipc no longer knows the
    /// connection. While `take` runs, the connection uses two descriptors. The stream has close-on-exec; a
    /// child that the program forks without `execve(2)` keeps a copy of it.
    ///
    /// A panic in `take` ends the connection, one in `decide` is answered with a line `-PANIC …`; other
    /// connections go on.
    ///
    /// # Shutdown
    ///
    /// When the server stops, `take` reads what has arrived and then the end of the stream; it can still
    /// write. If it has not returned within [`shutdown_timeout`](Self::shutdown_timeout), the connection is
    /// shut down, and the [`Unfinished`](crate::error::Unfinished) commands include one with the name
    /// `(hand_over)`.
    pub fn hand_over<D, A, T>(mut self, decide: D, take: T) -> Self
    where
        D: Fn(&[u8]) -> A + Send + Sync + 'static,
        A: Into<HandOver>,
        T: Fn(UnixStream, Peer) + Send + Sync + 'static,
    {
        let decide = move |first: &[u8]| decide(first).into();
        self.taker = Some(Taker::new(Box::new(decide), Box::new(take)));
        self
    }
}
