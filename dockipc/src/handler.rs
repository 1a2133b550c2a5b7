//! What answers a request.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::reply::{IntoReply, Reply};
use crate::request::Request;

/// Answers requests: the one trait behind a command that was added by hand, a fallback, and
/// [`Server::with_handler`](crate::Server::with_handler).
///
/// Closures are handlers. A type of yours is one too:
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
    /// Answers one request. It may block: other connections are served meanwhile. A panic is
    /// answered with `-PANIC`.
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

/// Calls code of the author's. None if it panicked.
pub(crate) fn caught<T>(run: impl FnOnce() -> T) -> Option<T> {
    // Nothing of ours is left half-changed by a panic in here: the code gets shared references.
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(value) => Some(value),
        Err(payload) => {
            // The payload's own drop may panic, and the payload of that panic as well.
            if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                std::mem::forget(again);
            }
            None
        }
    }
}
