//! [`Handler`], the trait of code that answers requests.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

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

/// Calls the author's code. Returns `None` if it panics.
pub(crate) fn caught<T>(run: impl FnOnce() -> T) -> Option<T> {
    // Unwind safe: the code gets shared references, so a panic leaves none of our values half changed.
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(value) => Some(value),
        Err(payload) => {
            discard(payload);
            None
        }
    }
}

/// Drops the payload of a panic. This may panic, and so may dropping the payload of that panic.
#[cold]
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}
