//! Benches that compare dockipc with its peers: see `benches/README.md`.
//!
//! Servers and clients are processes: this program starts itself again as `serve` and as `bench`.

mod instructions;
mod load;
mod options;
mod peers;
mod proc;
mod results;
mod run;
mod svg;
mod table;
mod work;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use load::Job;
use options::Options;
use peers::Peer;
use work::Work;

type Res<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match &words[..] {
        ["serve", peer, work, socket] => serve(peer, work, Path::new(socket)),
        ["bench", job @ ..] => bench(job),
        ["count", what, batch, calls] => instructions::count(what, batch, calls),
        words => Options::read(words).and_then(|options| run(&options)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("benches: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a server until the process is killed.
fn serve(peer: &str, work: &str, socket: &Path) -> Res<()> {
    proc::settle(Work::named(work)?.is_pinned())?;
    Peer::named(peer)?.serve(socket)
}

/// Runs a client, and prints one line of JSON.
fn bench(words: &[&str]) -> Res<()> {
    let job = Arc::new(Job::read(words)?);
    proc::settle(job.work.is_pinned())?;
    let figures = job.peer.bench(&job)?;
    println!("{}", results::json(&figures));
    Ok(())
}

fn run(options: &Options) -> Res<()> {
    if options.instructions {
        return instructions::report();
    }
    let results = match &options.from {
        Some(file) => results::Results::read(file)?,
        None => run::run(options)?,
    };
    print!("{}", table::table(&results));
    if let Some(file) = &options.svg {
        std::fs::write(file, svg::draw(&results))?;
    }
    Ok(())
}
