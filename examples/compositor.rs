//! A small Wayland compositor without pictures, with the requests of niri: its actions are one enum, which the
//! commands, the bindings of keys and clients share; its program `msg` is mounted in its own.
//!
//! `cargo run --features cli --example compositor -- run [SOCKET]`, and then
//! `cargo run --features cli --example compositor -- msg action spawn -- foot --hold`

#[path = "compositor/action.rs"]
mod action;
#[path = "compositor/answers.rs"]
mod answers;
#[path = "compositor/commands.rs"]
mod commands;
#[path = "compositor/ui.rs"]
mod ui;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::thread;

use answers::Window;
use clap::Parser;
use dockipc::ctl::{Program, Words};
use dockipc::{Job, Server};
use ui::Ui;

#[derive(Parser)]
enum Cli {
    /// Start the compositor.
    Run {
        /// The path of the socket.
        socket: Option<PathBuf>,
    },
    /// Talk to the compositor that runs, at the path in `COMPOSITOR_SOCKET`.
    Msg(Words),
}

fn main() -> ExitCode {
    match Cli::parse() {
        Cli::Run { socket } => match run(&socket.unwrap_or_else(place)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        Cli::Msg(words) => msg(words),
    }
}

fn place() -> PathBuf {
    std::env::var_os("COMPOSITOR_SOCKET")
        .map_or_else(|| examples::place("compositor"), PathBuf::from)
}

/// Serves the commands, and runs them on this thread.
fn run(socket: &Path) -> dockipc::Result<()> {
    let (sender, jobs) = channel::<Job<Ui>>();
    let server = Server::new().version("25.11").local(move |job| drop(sender.send(job)));
    let mut ui = Ui::new();
    // The sender of the jobs is dropped with the server.
    let path = socket.to_owned();
    let serving = thread::spawn(move || server.run(path));
    for job in jobs {
        job.run(&mut ui);
    }
    serving.join().expect("the server's thread")
}

/// Calls the compositor that runs.
fn msg(words: Words) -> ExitCode {
    Program::new(place())
        .name("compositor msg")
        .about("Talk to the compositor.")
        .format("focused-window", |window: Option<Window>| match window {
            Some(window) => format!("Window {}: {}", window.id, window.title.unwrap_or_default()),
            None => "No window is focused.".to_owned(),
        })
        .run(words)
}
