//! [`Handler`], the trait of code that answers requests.

use crate::reply::{IntoReply, Reply};
use crate::request::Request;

/// A handler of requests, for [`Server::mount`](crate::Server::mount),
/// [`Server::fallback`](crate::Server::fallback) and
/// [`Server::with_handler`](crate::Server::with_handler).
///
/// Closures are handlers, and your own types can be:
///
/// ```
/// use dockipc::{Handler, Reply, Request, Server};
///
/// struct Greeter { greeting: String }
///
/// impl Handler for Greeter {
///     fn handle(&self, request: &Request<'_>) -> Reply {
///         let name = request.word(0).unwrap_or(b"stranger").escape_ascii();
///         Reply::bytes(format!("{}, {name}", self.greeting))
///     }
/// }
///
/// let daemon = Server::new()
///     .mount("greet", Greeter { greeting: "Good day".into() })
///     .spawn_in_process()?;
/// assert_eq!(daemon.client().send("greet Ada")?, b"Good day, Ada");
/// # Ok::<(), dockipc::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle requests",
    note = "a handler is a closure `|request: &Request<'_>| reply`, or a type with `impl dockipc::Handler`"
)]
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. It may block, which does not delay other connections. A panic is answered with
    /// `-PANIC`.
    fn handle(&self, request: &Request<'_>) -> Reply;
}

impl<F, R> Handler for F
where
    F: Fn(&Request<'_>) -> R + Send + Sync + 'static,
    R: IntoReply,
{
    fn handle(&self, request: &Request<'_>) -> Reply {
        self(request).into_reply()
    }
}
