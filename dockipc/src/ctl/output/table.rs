//! Writes a list of structs as a table: on a terminal with aligned columns, and otherwise with tabs.

use std::collections::VecDeque;

use anstyle::Style;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};

use super::super::interface::{Field, Type};
use super::{escaped, field};
use crate::reply::Reply;
use crate::wire::answer::{Piece, Shape};
use crate::wire::float_text;

/// The narrowest terminal for which lines are broken; on a narrower one, a column would have a
/// letter per line.
const MIN_WIDTH: u16 = 40;

/// Returns an empty table without lines, as wide as the terminal allows.
pub(in crate::ctl) fn table() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    if table.width().is_some_and(|width| width >= MIN_WIDTH) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table
}

/// Sets the space between the columns.
pub(in crate::ctl) fn space(table: &mut Table) {
    let last = table.column_count().saturating_sub(1);
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if i == last { 0 } else { 2 }));
    }
}

/// The rows that are kept until they are written, so that they have the same columns.
const MAX_ROWS: usize = 1000;

/// The state between two pieces of an answer.
pub(in crate::ctl) struct TableWriter<'f> {
    fields: &'f [Field],
    is_aligned: bool,
    has_header: bool,
    rows: Vec<Vec<String>>,
    /// The widths of the columns that were written, in columns of the terminal.
    widths: Vec<u16>,
    /// The lists and maps that are open, the innermost last.
    open: Vec<(Shape, Vec<Reply>)>,
    /// The parts of a long text.
    text: Vec<u8>,
}

impl<'f> TableWriter<'f> {
    pub(in crate::ctl) fn new(fields: &'f [Field], is_aligned: bool) -> Self {
        Self {
            fields,
            is_aligned,
            has_header: false,
            rows: Vec::new(),
            widths: vec![0; fields.len()],
            open: Vec::new(),
            text: Vec::new(),
        }
    }

    /// Takes the next piece, and appends the rows when there are many.
    pub(in crate::ctl) fn add(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        let whole = match piece {
            Piece::Begin(shape) => {
                self.open.push((shape, Vec::new()));
                return;
            }
            Piece::End => match self.open.pop() {
                // The answer itself.
                Some(_) if self.open.is_empty() => return,
                Some((Shape::List, items)) => Reply::List(items),
                Some((Shape::Map, items)) => {
                    let mut items = VecDeque::from(items);
                    let mut pairs = Vec::new();
                    while let (Some(key), Some(value)) = (items.pop_front(), items.pop_front()) {
                        pairs.push((key, value));
                    }
                    Reply::Map(pairs)
                }
                None => return,
            },
            Piece::Text(bytes) => Reply::bytes(bytes),
            Piece::Part { bytes, left } => {
                self.text.extend_from_slice(bytes);
                if left > 0 {
                    return;
                }
                Reply::Bytes(std::mem::take(&mut self.text))
            }
            Piece::Value(reply) => reply,
        };
        match &mut self.open[..] {
            // No list, such as the end of a stream.
            [] => {}
            [_] => {
                self.rows.push(self.row(whole));
                if self.rows.len() >= MAX_ROWS {
                    self.write(out);
                }
            }
            [.., (_, items)] => items.push(whole),
        }
    }

    /// Returns the cells of an item, in the order of the fields.
    fn row(&self, item: Reply) -> Vec<String> {
        let Reply::Map(mut pairs) = item else { return vec![cell(item)] };
        let mut value = |field: &Field| {
            let named = |(key, _): &(Reply, Reply)| *key == Reply::bytes(&*field.name);
            let at = pairs.iter().position(named)?;
            Some(cell(pairs.swap_remove(at).1))
        };
        self.fields.iter().map(|field| value(field).unwrap_or_default()).collect()
    }

    /// Appends the header, the first time, and the rows so far.
    pub(in crate::ctl) fn write(&mut self, out: &mut Vec<u8>) {
        let rows = std::mem::take(&mut self.rows);
        let has_header = std::mem::replace(&mut self.has_header, true);
        if has_header && rows.is_empty() {
            return;
        }
        let names = self.fields.iter().map(|of| escaped(&of.name).into_owned());
        let header = (!has_header).then(|| names.collect::<Vec<_>>());
        if !self.is_aligned {
            for row in header.iter().chain(&rows) {
                out.extend_from_slice(row.join("\t").as_bytes());
                out.push(b'\n');
            }
            return;
        }
        let mut table = table();
        if let Some(names) = &header {
            table.add_row(names);
        }
        table.add_rows(rows);
        space(&mut table);
        for ((column, of), width) in table.column_iter_mut().zip(self.fields).zip(&self.widths) {
            if matches!(of.of.ty, Type::Int { .. } | Type::Float) {
                column.set_cell_alignment(CellAlignment::Right);
            }
            if *width > 0 {
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(*width)));
            }
        }
        for (width, most) in self.widths.iter_mut().zip(table.column_max_content_widths()) {
            *width = (*width).max(most);
        }
        let bold = Style::new().bold();
        for (i, line) in table.lines().enumerate() {
            let line = line.trim_end();
            let line = if header.is_some() && i == 0 {
                format!("{bold}{line}{bold:#}\n")
            } else {
                format!("{line}\n")
            };
            out.extend_from_slice(line.as_bytes());
        }
    }
}

/// Returns a value as the text of a cell.
fn cell(value: Reply) -> String {
    let joined = |items: Vec<Reply>| items.into_iter().map(cell).collect::<Vec<_>>().join(", ");
    match value {
        Reply::Ok | Reply::Null | Reply::Nulls(_) => String::new(),
        Reply::Status(word) => escaped(&word).into_owned(),
        Reply::Bool(is) => is.to_string(),
        Reply::Int(number) => number.to_string(),
        Reply::Big(digits) => field(digits.as_bytes()),
        Reply::Float(number) => float_text(number),
        Reply::Bytes(bytes) => field(&bytes),
        Reply::Formed(formed) => cell(formed.value),
        Reply::List(items) | Reply::Set(items) => joined(items),
        Reply::Map(pairs) => {
            let pairs =
                pairs.into_iter().map(|(key, value)| format!("{}={}", cell(key), cell(value)));
            pairs.collect::<Vec<_>>().join(", ")
        }
        Reply::Error(failure) => {
            escaped(&format!("{} {}", failure.code(), failure.message())).into_owned()
        }
    }
}
