//! The codes of error types that derive `Failure`.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

use dockipc::{Failure, Server, command};

#[derive(Debug, Failure, thiserror::Error)]
enum NoteError {
    #[error("no note {0}")]
    #[code("NOTFOUND")]
    Missing(u64),
    #[error("the title has {length} letters")]
    #[code("TOO_LONG")]
    Title { length: usize },
    #[error("locked")]
    #[code("LOCKED2")]
    Locked,
    #[error(transparent)]
    Io(#[from] io::Error),
}

#[derive(Debug, Failure, thiserror::Error)]
#[code("STORE")]
enum StoreError {
    #[error("full")]
    #[code("FULL")]
    Full,
    #[error("broken")]
    Broken,
    #[error(transparent)]
    #[code(transparent)]
    Note(#[from] NoteError),
    #[error("while storing: {source}")]
    #[code(transparent)]
    Nested { source: Box<Self> },
}

/// Has no value.
#[derive(Debug, Failure, thiserror::Error)]
#[code("NEVER")]
enum Never {}

/// Without thiserror, and not `std::error::Error`.
#[derive(Failure)]
#[code("LATE", crate = dockipc)]
struct Late;

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too late")
    }
}

#[derive(Debug, thiserror::Error)]
#[error("without codes")]
struct Plain;

/// An error that borrows.
#[derive(Debug, thiserror::Error)]
#[error("unknown word {0}")]
struct Word<'w>(&'w str);

fn note(which: &str) -> Result<(), NoteError> {
    Err(match which {
        "missing" => NoteError::Missing(9),
        "title" => NoteError::Title { length: 7 },
        "locked" => NoteError::Locked,
        _ => io::Error::other("disk gone").into(),
    })
}

#[command]
fn question_mark(which: &str) -> Result<(), Failure> {
    match which {
        "full" => Err(StoreError::Full)?,
        "broken" => Err(StoreError::Broken)?,
        "inner" => Err(StoreError::from(NoteError::Locked))?,
        "nested" => Err(StoreError::Nested { source: StoreError::Full.into() })?,
        "late" => Err(Late)?,
        "plain" => Err(Plain)?,
        "text" => Err("just text")?,
        "word" => Err(Word(which))?,
        _ => note(which)?,
    }
    Ok(())
}

#[command]
fn own_type(which: &str) -> Result<(), NoteError> {
    note(which)
}

#[command]
fn sendable_box(which: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    match which {
        "failure" => Err(Failure::new("BOXED", "in a box"))?,
        "text" => Err("just text")?,
        _ => question_mark(which)?,
    }
    Ok(())
}

#[command]
fn unboxed(which: &str) -> Result<(), Failure> {
    Ok(sendable_box(which)?)
}

#[command]
fn plain_box(which: &str) -> Result<(), Box<dyn Error>> {
    unboxed(which)?;
    Ok(())
}

#[command]
#[expect(clippy::unnecessary_wraps, reason = "the error type is what is tested")]
fn infallible() -> Result<u64, Never> {
    Ok(1)
}

#[command]
fn poisoned() -> Result<u64, Failure> {
    let counter = Mutex::new(1);
    Ok(*counter.lock()?)
}

#[test]
fn derived_codes_survive_the_question_mark() {
    let daemon = Server::new().state(AtomicU64::new(0)).spawn_in_process().unwrap();
    let client = daemon.client();
    for (line, error) in [
        ("question-mark missing", "NOTFOUND no note 9"),
        ("question-mark title", "TOO_LONG the title has 7 letters"),
        ("question-mark locked", "LOCKED2 locked"),
        ("question-mark io", "ERR disk gone"),
        ("question-mark full", "FULL full"),
        ("question-mark broken", "STORE broken"),
        ("question-mark inner", "LOCKED2 locked"),
        ("question-mark nested", "FULL while storing: full"),
        ("question-mark late", "LATE too late"),
        ("question-mark plain", "ERR without codes"),
        ("question-mark text", "ERR just text"),
        ("question-mark word", "ERR unknown word word"),
        ("own-type missing", "NOTFOUND no note 9"),
    ] {
        assert_eq!(client.send(line).unwrap_err().to_string(), error, "{line}");
    }
    assert_eq!(client.send("poisoned").unwrap(), b"1");
    assert_eq!(client.send("infallible").unwrap(), b"1");
}

#[test]
fn failures_survive_a_box() {
    let daemon = Server::new().state(AtomicU64::new(0)).spawn_in_process().unwrap();
    let client = daemon.client();
    for command in ["sendable-box", "plain-box", "unboxed"] {
        for (which, error) in [
            ("failure", "BOXED in a box"),
            ("missing", "NOTFOUND no note 9"),
            ("text", "ERR just text"),
        ] {
            let answer = client.command(command).arg(which).call::<()>().unwrap_err();
            assert_eq!(answer.to_string(), error, "{command} {which}");
        }
    }
    assert_eq!(sendable_box("failure").unwrap_err().to_string(), "BOXED in a box");
    assert_eq!(sendable_box("plain").unwrap_err().to_string(), "without codes");
}

#[test]
fn borrowing_errors_have_no_derived_code() {
    // Another type with the same name and size.
    mod other {
        pub(super) struct Late;

        impl std::fmt::Display for Late {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("late as well")
            }
        }
    }
    let number = 1;
    let poisoned = PoisonError::new(&number);
    assert_eq!(Failure::from(poisoned).code(), "ERR");
    assert_eq!(Failure::from(other::Late).code(), "ERR");
    assert_eq!(Failure::from(Late).code(), "LATE");
}
