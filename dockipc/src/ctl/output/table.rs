//! Writes a list of structs as a table: on a terminal with aligned columns, and otherwise as in line mode.

use std::borrow::Cow;
use std::collections::VecDeque;

use anstyle::Style;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};

use super::super::interface::{Field, Type};
use super::columns::columns;
use super::{escaped, field};
use crate::reply::Reply;
use crate::wire::answer::{Piece, Shape};
use crate::wire::{encode, float_text};

/// The narrowest terminal for which lines are broken; on a narrower one, a column would have a
/// letter per line.
const MIN_WIDTH: u16 = 40;

/// Returns a text that can be a cell of a table: the beginning of one that is too long.
pub(in crate::ctl) fn shortened(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_CELL {
        return text.into();
    }
    let end = (0..=MAX_CELL).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    format!("{}…", &text[..end]).into()
}

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

/// The most bytes of these rows.
const MAX_KEPT: usize = 256 << 10;

/// The longest cell, in bytes, that is aligned and broken into lines, which takes a time that grows with the square of
/// its length.
const MAX_CELL: usize = 1 << 10;

/// The state between two pieces of an answer.
pub(in crate::ctl) struct TableWriter<'f> {
    fields: &'f [Field],
    is_aligned: bool,
    has_header: bool,
    rows: Vec<Vec<String>>,
    /// The bytes of these rows.
    kept: usize,
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
            kept: 0,
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
            [_] if !self.is_aligned => {
                self.write(out);
                self.plain_row(whole, out);
            }
            [_] => {
                let row = self.row(whole);
                if row.iter().any(|cell| cell.len() > MAX_CELL) {
                    self.write(out);
                    push_row(&row, out);
                    return;
                }
                self.kept += row.iter().map(String::len).sum::<usize>();
                self.rows.push(row);
                if self.rows.len() >= MAX_ROWS || self.kept >= MAX_KEPT {
                    self.write(out);
                }
            }
            [.., (_, items)] => items.push(whole),
        }
    }

    /// Returns the cells of an item, in the order of the fields.
    fn row(&self, item: Reply) -> Vec<String> {
        let Reply::Map(mut pairs) = item else { return vec![cell(item)] };
        let cells = self.fields.iter().map(|field| take(&mut pairs, field).map(cell));
        cells.map(Option::unwrap_or_default).collect()
    }

    /// Appends an item as a row of line mode, in the order of the fields.
    fn plain_row(&self, item: Reply, out: &mut Vec<u8>) {
        let mut is_first = true;
        match item {
            Reply::Map(mut pairs) => {
                for field in self.fields {
                    let value = take(&mut pairs, field);
                    let value = value.unwrap_or_else(|| Reply::Nulls(columns(&field.of)));
                    encode::row(value, &mut is_first, out);
                }
            }
            Reply::Null | Reply::Nulls(_) => {
                let columns = self.fields.iter().map(|field| columns(&field.of)).sum();
                encode::row(Reply::Nulls(columns), &mut is_first, out);
            }
            item => encode::row(item, &mut is_first, out),
        }
        out.push(b'\n');
    }

    /// Appends the names of the columns, each of which stands for the first of its field's.
    fn plain_header(&self, out: &mut Vec<u8>) {
        let mut is_first = true;
        for field in self.fields {
            encode::row(Reply::bytes(&*field.name), &mut is_first, out);
            encode::row(Reply::Nulls(columns(&field.of)), &mut true, out);
        }
        out.push(b'\n');
    }

    /// Appends the header, the first time, and the rows so far.
    pub(in crate::ctl) fn write(&mut self, out: &mut Vec<u8>) {
        let rows = std::mem::take(&mut self.rows);
        self.kept = 0;
        let has_header = std::mem::replace(&mut self.has_header, true);
        if has_header && rows.is_empty() {
            return;
        }
        if !self.is_aligned {
            return self.plain_header(out);
        }
        let names = self.fields.iter().map(|of| escaped(&of.name).into_owned());
        let header = (!has_header).then(|| names.collect::<Vec<_>>());
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

/// Takes the value of a field out.
fn take(pairs: &mut Vec<(Reply, Reply)>, field: &Field) -> Option<Reply> {
    let named = |(key, _): &(Reply, Reply)| *key == Reply::bytes(&*field.name);
    let at = pairs.iter().position(named)?;
    Some(pairs.swap_remove(at).1)
}

/// Appends a row with tabs between its cells.
fn push_row(row: &[String], out: &mut Vec<u8>) {
    out.extend_from_slice(row.join("\t").as_bytes());
    out.push(b'\n');
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Field, MAX_CELL, MAX_KEPT, Piece, Reply, Shape, TableWriter, shortened};

    fn add_row(table: &mut TableWriter<'_>, note: &[u8], out: &mut Vec<u8>) {
        table.add(Piece::Begin(Shape::Map), out);
        table.add(Piece::Value(Reply::bytes("id")), out);
        table.add(Piece::Value(Reply::Int(7)), out);
        table.add(Piece::Value(Reply::bytes("note")), out);
        table.add(Piece::Text(note), out);
        table.add(Piece::End, out);
    }

    fn fields() -> [Field; 2] {
        [("id", "float"), ("note", "text")].map(|(name, ty)| {
            serde_json::from_value(json!({ "name": name, "of": { "type": ty } })).unwrap()
        })
    }

    #[test]
    fn long_cell_is_written_at_once_with_tabs() {
        let (fields, mut out) = (fields(), Vec::new());
        let mut table = TableWriter::new(&fields, true);
        table.add(Piece::Begin(Shape::List), &mut out);
        add_row(&mut table, b"short", &mut out);
        assert_eq!(out, b"");
        let long = "x".repeat(200_000);
        add_row(&mut table, long.as_bytes(), &mut out);
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1..], [" 7  short", &format!("7\t{long}")]);
    }

    #[test]
    fn shortened_text_is_whole_characters() {
        let long = "ä".repeat(MAX_CELL);
        assert_eq!(shortened(&long), format!("{}…", "ä".repeat(MAX_CELL / 2)));
        assert_eq!(shortened("short"), "short");
    }

    #[test]
    fn rows_are_kept_only_up_to_a_size() {
        let (fields, mut out) = (fields(), Vec::new());
        let mut table = TableWriter::new(&fields, true);
        table.add(Piece::Begin(Shape::List), &mut out);
        for _ in 0..=MAX_KEPT / MAX_CELL {
            add_row(&mut table, &[b'x'; MAX_CELL], &mut out);
        }
        assert!(out.len() >= MAX_KEPT);
        let mut piped = TableWriter::new(&fields, false);
        out.clear();
        piped.add(Piece::Begin(Shape::List), &mut out);
        add_row(&mut piped, b"one", &mut out);
        assert_eq!(out, b"id\tnote\n7\tone\n");
    }
}
