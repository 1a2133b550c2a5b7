//! [`HandOver`], the answer of a program that is shown the first bytes of a connection.

/// Whether the program takes a connection: see [`Server::hand_over`](crate::Server::hand_over).
///
/// A `bool` becomes [`Take`](Self::Take) if it is true, and [`Leave`](Self::Leave) otherwise.
///
/// ```
/// use dockipc::HandOver;
///
/// /// HTTP/2 begins with a line, of which the first bytes may arrive alone.
/// fn is_http(first: &[u8]) -> HandOver {
///     const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
///     if first.starts_with(PREFACE) {
///         HandOver::Take
///     } else if PREFACE.starts_with(first) {
///         HandOver::More
///     } else {
///         HandOver::Leave
///     }
/// }
///
/// assert_eq!(is_http(b"P"), HandOver::More);
/// assert_eq!(is_http(b"PING\n"), HandOver::Leave);
/// assert_eq!(HandOver::from(true), HandOver::Take);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandOver {
    /// The program takes the connection.
    Take,
    /// dockipc serves the connection.
    Leave,
    /// The bytes do not decide it: the program is asked again when there are more.
    More,
}

impl From<bool> for HandOver {
    fn from(takes: bool) -> Self {
        if takes { Self::Take } else { Self::Leave }
    }
}
