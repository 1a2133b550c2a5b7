//! `man`: the manual pages.

use std::io::{self, Write};

use clap_mangen::Man;

use super::args::{self, Man as Args};
use super::complaint::Complaint;
use super::exit::Exit;
use super::written;

/// Prints the program's page, or writes all pages to a directory.
pub(super) fn man(own: Option<&str>, args: Args) -> Result<Exit, Complaint> {
    let command = args::command(own);
    let Some(directory) = args.directory else {
        let mut page = Vec::new();
        return written(
            Man::new(command).render(&mut page).and_then(|()| io::stdout().lock().write_all(&page)),
        );
    };
    let doing = format!("writing the pages to {}", directory.display());
    std::fs::create_dir_all(&directory)
        .and_then(|()| clap_mangen::generate_to(command, &directory))
        .map_err(|error| Complaint::io(&doing, &error))?;
    Ok(Exit::Answered)
}
