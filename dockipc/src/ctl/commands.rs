//! `commands`: lists the daemon's commands.

use std::io::{self, IsTerminal, Write};

use super::help::write_json;
use super::interface::{Description, Interface};
use super::output::{Layout, shortened, space, table};

/// Writes the commands: a table on a terminal; otherwise a line each, with name, usage and summary
/// separated by tabs.
pub(super) fn write(interface: &Interface, json: Option<Layout>) -> io::Result<()> {
    match json {
        Some(Layout::Indented) => {
            let commands: Vec<_> = interface.commands.values().collect();
            return write_json(&commands, Layout::Indented);
        }
        Some(layout) => {
            let mut commands = interface.commands.values();
            return commands.try_for_each(|command| write_json(command, layout));
        }
        None => {}
    }
    let mut out = anstream::stdout().lock();
    if !io::stdout().is_terminal() {
        for command in interface.commands.values() {
            writeln!(out, "{}\t{}\t{}", command.name, command.usage, noted(command))?;
        }
        return Ok(());
    }
    let rows = rows(interface);
    let rows = rows.iter().map(|(usage, summary)| [shortened(usage), shortened(summary)]);
    let mut table = table();
    table.add_rows(rows);
    space(&mut table);
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Returns the usage and the summary of each command. Those of a group are indented below its name.
fn rows(interface: &Interface) -> Vec<(String, String)> {
    let (mut rows, mut above) = (Vec::new(), "");
    for command in interface.commands.values() {
        let (mut usage, summary) = (command.usage.clone(), noted(command));
        if let Some(group) = command.group() {
            if above != group {
                rows.push((group.to_owned(), String::new()));
            }
            usage = format!("  {}", usage.strip_prefix(group).unwrap_or(&usage).trim_start());
            above = group;
        } else {
            above = &command.name;
        }
        rows.push((usage, summary));
    }
    rows
}

/// Returns the summary of a command, with a note if it is deprecated.
fn noted(command: &Description) -> String {
    match &command.deprecated {
        Some(advice) => format!("{} (deprecated: {advice})", command.summary).trim_start().into(),
        None => command.summary.clone(),
    }
}
