//! `watch`: the events of the daemon's channels.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use serde_json::json;

use super::args::Watch;
use super::daemon::Daemon;
use super::error::{CliError, remark};
use super::exit::Exit;
use super::output::{Form, Layout, Output, is_closed, json_line, json_text, to_json};
use crate::client::{Client, Event};
use crate::error::Error;
use crate::reply::Reply;
use crate::wire::encode::row;

/// Writes each event as it arrives, until the daemon ends or `--count` events were written. The end of one subscription
/// does not end the others; the exit code is that of the first.
pub(super) fn watch(daemon: &Daemon, args: &Watch, program: &str) -> Result<Exit, CliError> {
    if args.words.is_empty() {
        return Err(CliError::usage("missing channel; write \"*\" for all of them"));
    }
    let names = args.words.iter().map(|word| word.to_string_lossy());
    let events = daemon.client.subscribe(names).map_err(explained)?;
    let mut output = Output::open(None, Form { has_many: true, ..Form::default() })?;
    let (mut exit, mut left) = (Exit::Answered, args.count);
    for event in events {
        let event = match event {
            Ok(event) => event,
            Err(error @ Error::Refused(_)) => {
                let error = CliError::from(error);
                error.print(program);
                if exit == Exit::Answered {
                    exit = error.exit;
                }
                continue;
            }
            Err(error @ Error::Io { .. }) => {
                return Err(CliError::from(error).with_exit(Exit::CutOff));
            }
            Err(error) => return Err(error.into()),
        };
        if event.dropped() > 0 {
            remark(format_args!(
                "{} events were dropped: this program was too slow",
                event.dropped()
            ));
        }
        let line = line(&event, args.json);
        match output.write_all(&line).and_then(|()| output.flush()) {
            Err(error) if is_closed(&error) => return Ok(exit),
            written => written.map_err(|error| CliError::io("writing the output", &error))?,
        }
        left = left.map(|left| left - 1);
        if left == Some(0) {
            break;
        }
    }
    Ok(exit)
}

/// Returns an event as line mode writes it, or as JSON.
fn line(event: &Event, layout: Option<Layout>) -> Vec<u8> {
    let (channel, value) = (event.channel(), event.value().clone());
    let Some(layout) = layout else {
        let (mut line, mut is_first) = (Vec::new(), true);
        row(Reply::bytes(channel), &mut is_first, &mut line);
        row(value, &mut is_first, &mut line);
        line.push(b'\n');
        return line;
    };
    let json = json!({ "channel": channel, "value": to_json(value) });
    let text = match layout {
        Layout::Indented => json_text(&json),
        Layout::Line => json_line(&json),
    };
    (text + "\n").into_bytes()
}

/// Explains the refusal of a daemon that has no events, and so does not know the commands.
fn explained(error: Error) -> CliError {
    match &error {
        // The words are those of Redis.
        Error::Refused(failure) if failure.message().starts_with("unknown command ") => {
            CliError::new("the daemon has no events", Exit::Refused)
        }
        _ => CliError::about(&[], error),
    }
}

/// Returns the channels that begin with `prefix`, for a completion: those with subscribers, and those that the daemon
/// declares.
pub(super) fn channels(client: &Client, prefix: &str) -> Vec<String> {
    let call = client.command("pubsub").arg("channels").call::<Vec<String>>();
    let mut channels = BTreeSet::from_iter(call.unwrap_or_default());
    let call = client.command("dockipc").arg("describe").arg("--channels");
    channels.extend(call.call::<BTreeMap<String, Reply>>().unwrap_or_default().into_keys());
    channels.retain(|channel| channel.starts_with(prefix));
    channels.into_iter().collect()
}
