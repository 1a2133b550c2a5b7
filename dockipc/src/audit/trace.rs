//! Records as events of `tracing`.

use std::io;

use super::record::{Decision, Record};

/// Makes an event of a record: `Server::new().audit(dockipc::audit::to_tracing)`. It never fails.
///
/// The target is `dockipc::audit`, the level INFO for what is allowed and WARN for what is denied. The
/// fields are those of [`JsonLines`](super::JsonLines), less the time, which subscribers have
/// themselves, and the groups; `arguments` is one text, `name="value"` with blanks between.
///
/// Whether an event is written anywhere is up to the program's subscriber and its filters: where a
/// command must not run unrecorded, use a file.
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
    // The level is part of what is fixed at compile time.
    match record.decision() {
        Decision::Allowed => event!(INFO),
        Decision::Denied => event!(WARN),
    }
    Ok(())
}
