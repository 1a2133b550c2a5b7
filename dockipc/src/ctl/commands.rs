//! `commands`: what the daemon offers.

use std::io::{self, IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};

use super::interface::Interface;

/// Writes the commands: a table on a terminal; in a pipe a line each with name, usage and summary,
/// which tabs separate.
pub(super) fn write(interface: &Interface) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    if !io::stdout().is_terminal() {
        for command in interface.commands.values() {
            writeln!(out, "{}\t{}\t{}", command.name, command.usage, command.summary)?;
        }
        return Ok(());
    }
    let rows = interface.commands.values().map(|command| [&*command.usage, &*command.summary]);
    for line in table(rows).lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// The narrowest terminal that lines are broken for.
const NARROWEST: u16 = 40;

/// Two columns, as wide as the terminal allows.
pub(super) fn table<'r>(rows: impl IntoIterator<Item = [&'r str; 2]>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    // Narrower, a column would have a letter a line.
    if table.width().is_some_and(|width| width >= NARROWEST) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    for row in rows {
        table.add_row(row);
    }
    if let Some(first) = table.column_mut(0) {
        first.set_padding((0, 2));
    }
    if let Some(second) = table.column_mut(1) {
        second.set_padding((0, 0));
    }
    table
}
