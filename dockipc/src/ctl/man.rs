//! `man`: prints the manual page, or writes all of them to a directory.

use std::io::{self, Write};

use clap_mangen::Man;

use super::args::{self, Man as Args};
use super::error::CliError;
use super::exit::Exit;
use super::written;

/// Prints the program's page or, with a directory, writes it and those of the subcommands.
pub(super) fn man(own: Option<&str>, args: Args) -> Result<Exit, CliError> {
    let command = args::command(own);
    let Some(directory) = args.directory else {
        let mut page = Vec::new();
        return written(
            Man::new(command).render(&mut page).and_then(|()| io::stdout().lock().write_all(&page)),
        );
    };
    let doing = format!("writing manual pages to {}", directory.display());
    std::fs::create_dir_all(&directory)
        .and_then(|()| clap_mangen::generate_to(command, &directory))
        .map_err(|error| CliError::io(&doing, &error))?;
    Ok(Exit::Answered)
}
