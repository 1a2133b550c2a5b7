//! Runs everything: a fresh server and a fresh client for each peer, workload and round.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::options::Options;
use crate::peers::Peer;
use crate::results::{Figures, Results, Run, figures};
use crate::work::Work;
use crate::{Res, proc};

pub(crate) fn run(options: &Options) -> Res<Results> {
    let (peers, missing): (Vec<Peer>, Vec<Peer>) =
        options.peers.iter().partition(|peer| peer.is_installed());
    for peer in missing {
        eprintln!("{} is not installed: left out", peer.title());
    }
    let mut results = Results { machine: proc::machine(), quick: options.quick, runs: Vec::new() };
    for round in 0..options.rounds {
        for &work in &options.works {
            // The peers of a workload run one after another, and each round begins with another peer, so that a
            // disturbance of the machine does not affect one peer only.
            for i in 0..peers.len() {
                let peer = peers[(i + round) % peers.len()];
                if !peer.does(work) {
                    continue;
                }
                let outcome = one(peer, work, options.quick).map_err(|e| e.to_string());
                eprintln!("{}", line(round, peer, work, &outcome));
                results.runs.push(Run { round, peer, work, outcome });
            }
        }
        if let Some(file) = &options.json {
            results.write(file)?;
        }
    }
    Ok(results)
}

/// Formats a line of progress.
fn line(round: usize, peer: Peer, work: Work, outcome: &Result<Figures, String>) -> String {
    let what = match outcome {
        Ok(figures) => {
            let shown = |(key, value): &(String, f64)| format!("{key} {value:.2}");
            figures.iter().map(shown).collect::<Vec<_>>().join(", ")
        }
        Err(why) => format!("failed: {why}"),
    };
    format!("round {} {:7} {:14} {what}", round + 1, work.name(), peer.name())
}

fn one(peer: Peer, work: Work, quick: bool) -> Res<Figures> {
    proc::calm();
    let place = Place::new()?;
    let socket = place.0.join("s");
    let mut serve = again("serve", peer, work, &socket)?;
    let mut server = Server(serve.stdin(Stdio::null()).spawn()?);
    server.wait_until_ready(&socket)?;
    let mut client = again("bench", peer, work, &socket)?;
    client.arg(server.0.id().to_string()).arg(work.calls(quick).to_string());
    let output = client.stdin(Stdio::null()).stderr(Stdio::piped()).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(said.trim().trim_start_matches("benches: ").into());
    }
    figures(&serde_json::from_slice(&output.stdout)?)
}

/// This program, started again.
fn again(what: &str, peer: Peer, work: Work, socket: &Path) -> Res<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([what, peer.name(), work.name()]).arg(socket);
    Ok(command)
}

/// A server process; it is killed when this is dropped.
struct Server(Child);

impl Server {
    fn wait_until_ready(&mut self, socket: &Path) -> Res<()> {
        let end = Instant::now() + Duration::from_secs(10);
        while UnixStream::connect(socket).is_err() {
            if let Some(status) = self.0.try_wait()? {
                return Err(format!("the server ended: {status}").into());
            }
            if Instant::now() > end {
                return Err("the server does not listen".into());
            }
            sleep(Duration::from_millis(10));
        }
        // Lets the server finish that connection.
        sleep(Duration::from_millis(100));
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A temporary directory.
struct Place(PathBuf);

impl Place {
    fn new() -> Res<Self> {
        let name = format!("dockipc-benches-{}", std::process::id());
        let place = Self(std::env::temp_dir().join(name));
        fs::create_dir(&place.0)?;
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
