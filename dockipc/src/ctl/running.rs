//! `ps` and `kill`: the commands that run in the daemon.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};

use comfy_table::{Table, presets};
use serde_json::Value;

use super::candidates::Candidate;
use super::daemon::Daemon;
use super::error::{CliError, remark};
use super::exit::Exit;
use super::interface::MAX_DESCRIPTION;
use super::list::user;
use super::output::{Layout, field, json_line, json_text, to_json};
use super::written;
use crate::client::Client;
use crate::error::{Error, Result, code};
use crate::reply::Reply;

/// A command that runs.
struct Running {
    id: u64,
    name: String,
    user: String,
    /// `None` if it is not known.
    pid: Option<u32>,
    milliseconds: u64,
    state: String,
    /// All that the daemon tells.
    told: Reply,
}

impl Running {
    fn read(told: Reply) -> Result<Self> {
        let mut fields: BTreeMap<String, Reply> = told.clone().parse()?;
        let mut take = |name: &str| fields.remove(name).unwrap_or(Reply::Null);
        Ok(Self {
            id: take("id").parse()?,
            name: take("command").parse()?,
            user: user(take("uid").parse()?),
            pid: take("pid").parse()?,
            milliseconds: take("ms").parse()?,
            state: take("state").parse()?,
            told,
        })
    }

    fn fields(&self) -> [String; 6] {
        let pid = self.pid.map_or_else(|| "?".into(), |pid| pid.to_string());
        let (name, state) = (field(self.name.as_bytes()), field(self.state.as_bytes()));
        [self.id.to_string(), name, self.user.clone(), pid, age(self.milliseconds), state]
    }

    fn to_json(&self) -> Value {
        let mut json = to_json(self.told.clone());
        json["user"] = self.user.clone().into();
        json
    }
}

/// Formats how long a command has run.
fn age(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match seconds {
        0 => format!("{milliseconds}ms"),
        1..60 => format!("{seconds}.{}s", milliseconds / 100 % 10),
        60..3600 => format!("{minutes}m{:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{}d{:02}h", hours / 24, hours % 24),
    }
}

/// Asks for the running commands that the caller may stop, in the order of their beginning.
fn ask(client: Client) -> Result<Vec<Running>> {
    let client = client.max_answer(MAX_DESCRIPTION);
    let running: Vec<Reply> = client.command("dockipc").arg("running").call()?;
    running.into_iter().map(Running::read).collect()
}

/// Writes the running commands: a table on a terminal; otherwise a line each, with tabs.
pub(super) fn ps(daemon: &Daemon, json: Option<Layout>) -> Result<Exit, CliError> {
    let running = ask(daemon.questions()).map_err(explained)?;
    let mut out = io::stdout().lock();
    if let Some(layout) = json {
        let mut running = running.iter().map(Running::to_json);
        return written(match layout {
            Layout::Indented => writeln!(out, "{}", json_text(&running.collect())),
            Layout::Line => running.try_for_each(|one| writeln!(out, "{}", json_line(&one))),
        });
    }
    if running.is_empty() {
        remark("no command runs that you may stop");
        return Ok(Exit::Answered);
    }
    let rows = running.iter().map(Running::fields);
    let text = if io::stdout().is_terminal() {
        table(rows)
    } else {
        rows.map(|fields| fields.join("\t") + "\n").collect()
    };
    written(out.write_all(text.as_bytes()))
}

fn table(rows: impl Iterator<Item = [String; 6]>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["ID", "COMMAND", "USER", "PID", "TIME", "STATE"]);
    rows.for_each(|row| _ = table.add_row(row));
    if let Some(first) = table.column_mut(0) {
        first.set_padding((0, 1));
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Asks commands to stop. One that can't be asked does not keep the others from being asked; the exit code is
/// that of the first failure.
pub(super) fn kill(daemon: &Daemon, ids: &[OsString], program: &str) -> Result<Exit, CliError> {
    if ids.is_empty() {
        return Err(CliError::usage("missing id of a command; `ps` lists the running commands"));
    }
    let client = daemon.questions();
    let mut exit = Exit::Answered;
    for id in ids {
        match client.command("dockipc").arg("cancel").arg(id).call::<()>() {
            Ok(()) => {}
            Err(error @ Error::Refused(_)) => {
                let error = explained(error);
                error.print(program);
                if exit == Exit::Answered {
                    exit = error.exit;
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(exit)
}

/// Explains the refusal of a daemon that knows no running commands.
fn explained(error: Error) -> CliError {
    match &error {
        Error::Refused(failure) if failure.code() == code::USAGE => {
            let text =
                "the daemon is older than this program: it does not list its running commands";
            CliError::new(text, Exit::Refused)
        }
        _ => CliError::about(&[], error),
    }
}

/// Returns the ids of the running commands that begin with `prefix`, without those that are given.
pub(super) fn ids(client: Client, given: &[OsString], prefix: &str) -> Vec<Candidate> {
    let running = ask(client).unwrap_or_default().into_iter();
    let ids = running.map(|one| {
        let [id, name, user, pid, time, _] = one.fields();
        (id, format!("{name} of {user}, process {pid}, {time}"))
    });
    ids.filter(|(id, _)| id.starts_with(prefix) && !given.iter().any(|other| *other == **id))
        .filter_map(|(id, help)| Candidate::new(id, &help))
        .collect()
}
