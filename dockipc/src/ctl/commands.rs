//! `commands`: lists the daemon's commands.

use std::io::{self, IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};

use super::interface::Interface;

/// Writes the commands: a table on a terminal; otherwise a line each, with name, usage and summary
/// separated by tabs.
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

/// The narrowest terminal for which lines are broken; on a narrower one, a column would have a
/// letter per line.
const MIN_WIDTH: u16 = 40;

/// Returns a table with two columns, as wide as the terminal allows.
fn table<'r>(rows: impl IntoIterator<Item = [&'r str; 2]>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    if table.width().is_some_and(|width| width >= MIN_WIDTH) {
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
