//! Calls a command of a daemon, and prints its answer as it arrives.
//!
//! `cargo run -q --example client SOCKET COMMAND [WORD…]`
//!
//! Exits with 0 after an answer, with 1 after an error answer, with 2 if there was no answer.

use std::io::{self, IsTerminal, Write, stdout};
use std::process::ExitCode;

use dockipc::{Client, Error};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [socket, command, words @ ..] = &*words else {
        eprintln!("usage: client SOCKET COMMAND [WORD…]");
        return ExitCode::from(2);
    };
    let mut printed = Printed { last: None };
    match Client::new(socket).command(command).words(words).copy_to(&mut printed) {
        Ok(_) => match printed.end() {
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

/// Prints an answer unchanged, except for a final newline on a terminal.
struct Printed {
    last: Option<u8>,
}

impl Printed {
    fn end(self) -> io::Result<()> {
        if stdout().is_terminal() && self.last.is_some_and(|byte| byte != b'\n') {
            println!();
        }
        stdout().flush()
    }
}

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = stdout().write(bytes)?;
        self.last = bytes[..written].last().copied().or(self.last);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        stdout().flush()
    }
}
