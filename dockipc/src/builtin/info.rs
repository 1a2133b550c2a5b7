//! `INFO`, the state of the server in the form of Redis.

use std::fmt::Display;

use super::{Context, at, is};
use crate::counters::{Counts, resident_memory};
use crate::reply::{IntoReply, Reply};
use crate::request::Words;
use crate::text::append;

/// The answer to `INFO`: the fields of Redis that clients look for, with `$` for each value, the first of which
/// is a line.
/// Some clients choose the commands that they send by the version.
const INFO: &str = concat!(
    "# Server\r\nredis_version:7.4.0\r\nredis_mode:standalone\r\ndockipc_version:",
    env!("CARGO_PKG_VERSION"),
    "\r\n$process_id:$\r\nuptime_in_seconds:$\r\n\
     # Clients\r\nconnected_clients:$\r\nblocked_clients:0\r\n\
     # Memory\r\nused_memory:$\r\n\
     # Persistence\r\nloading:0\r\nrdb_bgsave_in_progress:0\r\naof_rewrite_in_progress:0\r\n\
     # Stats\r\ntotal_connections_received:$\r\ntotal_commands_processed:$\r\n\
     # Replication\r\nrole:master\r\nconnected_slaves:0\r\n\
     # Cluster\r\ncluster_enabled:0\r\n# Keyspace\r\n",
);

/// Answers `INFO [section…]`.
pub(super) fn info(context: Context<'_>, words: Words<'_>) -> Reply {
    let Counts { uptime, connections, accepted, commands } = context.counters.counts();
    let line = |version: &str| {
        format!("daemon_version:{}\r\n", version.lines().next().unwrap_or_default())
    };
    let version = context.config.version.as_deref().map(line).unwrap_or_default();
    let (process, memory) = (std::process::id(), resident_memory());
    let values: [&dyn Display; 7] =
        [&version, &process, &uptime, &connections, &memory, &accepted, &commands];
    let mut parts = INFO.split('$');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (value, part) in values.iter().zip(parts) {
        append(&mut text, format_args!("{value}{part}"));
    }
    let is_all = |word| ["all", "everything", "default"].iter().any(|all| is(Some(word), all));
    if at(words, 0).is_none() || words.iter().any(is_all) {
        return text.into_reply();
    }
    let mut chosen = String::new();
    for section in text.split('#').skip(1) {
        let name = section.split('\r').next().unwrap_or_default();
        if words.iter().any(|word| is(Some(word), &name[1..])) {
            chosen.push('#');
            chosen.push_str(section);
        }
    }
    chosen.into_reply()
}
