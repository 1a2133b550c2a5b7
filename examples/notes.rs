//! A complete daemon: notes in a database on disk.
//!
//! `cargo run --example notes [SOCKET [DATABASE]]`
//!
//! By default the database is beside the socket. A note is on disk when `add` has answered, so the daemon
//! can be killed at any time.

use std::path::{Path, PathBuf};

use dockipc::{Failure, Server, State, command};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

const NOTES: TableDefinition<'_, u64, &str> = TableDefinition::new("notes");
/// The last id, so that the id of a removed note is not reused.
const LAST: TableDefinition<'_, (), u64> = TableDefinition::new("last");

/// Keep a note and answer with its id.
#[command]
fn add(
    notes: State<Database>,
    /// The note, to the end of the line
    #[arg(rest)]
    text: &str,
) -> Result<u64, Failure> {
    let write = notes.begin_write()?;
    let id = {
        let mut last = write.open_table(LAST)?;
        let id = last.get(())?.map_or(0, |last| last.value()) + 1;
        last.insert((), id)?;
        write.open_table(NOTES)?.insert(id, text)?;
        id
    };
    write.commit()?;
    Ok(id)
}

/// List all notes: their ids and first lines.
#[command]
fn list(notes: State<Database>) -> Result<Vec<(u64, String)>, Failure> {
    select(&notes, |_| true)
}

/// Show a note.
#[command]
fn show(
    notes: State<Database>,
    /// The number that `add` and `list` give
    id: u64,
) -> Result<String, Failure> {
    let notes = notes.begin_read()?.open_table(NOTES)?;
    let note = notes.get(id)?.ok_or_else(|| not_found(id))?;
    Ok(note.value().to_owned())
}

/// List the notes with a word in them.
#[command]
fn find(
    notes: State<Database>,
    /// The word, or a part of one
    word: &str,
    /// Ignore case
    #[arg(flag)]
    ignore_case: bool,
) -> Result<Vec<(u64, String)>, Failure> {
    if ignore_case {
        let word = word.to_lowercase();
        select(&notes, |text| text.to_lowercase().contains(&word))
    } else {
        select(&notes, |text| text.contains(word))
    }
}

/// Remove a note.
#[command]
fn remove(
    notes: State<Database>,
    /// The number that `add` and `list` give
    id: u64,
) -> Result<(), Failure> {
    let write = notes.begin_write()?;
    write.open_table(NOTES)?.remove(id)?.ok_or_else(|| not_found(id))?;
    write.commit()?;
    Ok(())
}

/// Answer with all notes, one on each line.
///
/// A line is the id, a tab, and the text. In the text a tab is `\t`, a line end is `\n` or `\r`, and a
/// backslash is `\\`.
#[command]
fn export(notes: State<Database>) -> Result<Vec<u8>, Failure> {
    let mut lines = Vec::new();
    for note in notes.begin_read()?.open_table(NOTES)?.iter()? {
        let (id, text) = note?;
        let text = text.value().replace('\\', r"\\").replace('\t', r"\t");
        let text = text.replace('\n', r"\n").replace('\r', r"\r");
        lines.extend(format!("{}\t{text}\n", id.value()).into_bytes());
    }
    Ok(lines)
}

/// Returns the ids and first lines of the notes whose text is `wanted`.
fn select(notes: &Database, wanted: impl Fn(&str) -> bool) -> Result<Vec<(u64, String)>, Failure> {
    let mut found = Vec::new();
    for note in notes.begin_read()?.open_table(NOTES)?.iter()? {
        let (id, text) = note?;
        if wanted(text.value()) {
            let first = text.value().lines().next().unwrap_or_default();
            found.push((id.value(), first.to_owned()));
        }
    }
    Ok(found)
}

fn not_found(id: u64) -> Failure {
    Failure::new("NOTFOUND", format!("no note {id}"))
}

fn open(path: &Path) -> Result<Database, redb::Error> {
    let database = Database::create(path)?;
    let write = database.begin_write()?;
    write.open_table(NOTES)?; // Creates the table: reading a missing one fails.
    write.commit()?;
    Ok(database)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let socket = examples::socket("notes");
    let path = std::env::args_os().nth(2).map(PathBuf::from);
    let path = path.unwrap_or_else(|| socket.with_extension("redb"));
    let notes = open(&path).map_err(|e| format!("{}: {e}", path.display()))?;

    println!("The notes are kept in {}.", path.display());
    examples::invite(&socket, ["add buy milk", "list", "find --ignore-case MILK"]);
    // Notes are private: only the user who runs the daemon may connect.
    Server::new().state(notes).mode(0o600).run(socket)?;
    Ok(())
}
