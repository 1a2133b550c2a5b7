//! The progress of a command, drawn on standard error.

use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::error::is_quiet;
use super::output::escaped;
use crate::client::{Call, Progress};

/// A bar on a terminal that is drawn with the first progress. In a pipe there is none.
pub(super) struct Bar(Option<ProgressBar>);

impl Bar {
    pub(super) fn new() -> Self {
        let is_drawn = io::IsTerminal::is_terminal(&io::stderr()) && !is_quiet();
        Self(is_drawn.then(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())))
    }

    /// Asks for the progress of a call.
    pub(super) fn follows<'c>(&self, call: Call<'c>) -> Call<'c> {
        match self.0.clone() {
            Some(bar) => call.on_progress(move |progress| draw(&bar, progress)),
            None => call,
        }
    }

    /// Returns a writer to the same terminal, if standard output is one: the answer takes the place of the bar.
    pub(super) fn beside<'b, W>(&'b self, out: &'b mut W) -> Beside<'b, W> {
        let bar = self.0.as_ref().filter(|_| io::IsTerminal::is_terminal(&io::stdout()));
        Beside { out, bar }
    }
}

/// Removes the bar.
impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

fn draw(bar: &ProgressBar, progress: &Progress) {
    let form = match progress.total {
        Some(_) => "{msg} [{bar:40}] {pos}/{len}",
        None => "{msg} {pos}",
    };
    if let Ok(style) = ProgressStyle::with_template(form) {
        bar.set_style(style.progress_chars("=> "));
    }
    match progress.total {
        Some(total) => bar.set_length(total),
        None => bar.unset_length(),
    }
    bar.set_message(escaped(progress.text.as_deref().unwrap_or_default()).into_owned());
    bar.set_position(progress.done);
    bar.tick();
}

/// Output beside a bar.
pub(super) struct Beside<'b, W> {
    out: &'b mut W,
    bar: Option<&'b ProgressBar>,
}

impl<W: Write> Write for Beside<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
