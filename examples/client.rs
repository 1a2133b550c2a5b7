//! Calls a command of a daemon, and prints its answer.
//!
//! `cargo run -q --example client SOCKET COMMAND [WORD…]`
//!
//! Exits with 0 after an answer, with 1 after an error answer, with 2 if there was no answer.

use std::io::{IsTerminal, Write, stdout};
use std::process::ExitCode;

use dockipc::{Client, Error, Reply};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [socket, command, words @ ..] = &*words else {
        eprintln!("usage: client SOCKET COMMAND [WORD…]");
        return ExitCode::from(2);
    };
    match Client::new(socket).command(command).words(words).call::<Reply>() {
        Ok(answer) => match print(answer) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(2), // The reader has closed standard output.
        },
        Err(refused @ Error::Refused(_)) => {
            eprintln!("{refused}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Prints the answer unchanged, except for a final newline on a terminal.
fn print(answer: Reply) -> std::io::Result<()> {
    let mut bytes = answer.into_line();
    if stdout().is_terminal() && !bytes.is_empty() && !bytes.ends_with(b"\n") {
        bytes.push(b'\n');
    }
    stdout().write_all(&bytes)?;
    stdout().flush()
}
