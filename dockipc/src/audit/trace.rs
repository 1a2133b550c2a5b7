//! Emits records as `tracing` events.

use std::io;

use super::record::{Decision, Record};

/// Emits a record as an event: `Server::new().audit(dockipc::audit::to_tracing)`. It never fails.
///
/// The target is `dockipc::audit`; the level is INFO for allowed and WARN for denied calls. The
/// fields are those of [`JsonLines`](super::JsonLines) without the time, which subscribers add, and the
/// groups; `arguments` is one text, `name="value"` separated by spaces.
///
/// The program's subscriber and its filters may drop an event: if no command may run unrecorded, use a
/// file.
pub fn to_tracing(record: &Record<'_>) -> io::Result<()> {
    let each = record.arguments().iter().map(|a| format!("{}={:?}", a.name(), a.value()));
    let arguments = each.collect::<Vec<_>>().join(" ");
    macro_rules! event {
        ($level:ident) => {
            ::tracing::event!(
                target: "dockipc::audit",
                ::tracing::Level::$level,
                uid = record.peer().uid(),
                gid = record.peer().gid(),
                pid = record.peer().pid(),
                connection = record.connection(),
                request = record.request(),
                command = record.command(),
                arguments,
                left_out = record.left_out(),
                decision = record.decision().as_str(),
                rule = record.rule(),
            )
        };
    }
    // `event!` needs the level at compile time.
    match record.decision() {
        Decision::Allowed => event!(INFO),
        Decision::Denied => event!(WARN),
    }
    Ok(())
}
