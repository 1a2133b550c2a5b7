//! The command line.

use std::path::PathBuf;

use crate::Res;
use crate::peers::Peer;
use crate::work::Work;

const USAGE: &str = "\
usage: benches/run [OPTION…]

  --quick         one round with a tenth of the calls
  --rounds N      rounds; the table has medians (default 5)
  --peers A,B     only these peers
  --works A,B     only these workloads
  --json FILE     write every run to a file, one line of JSON each
  --from FILE     run nothing; read such a file
  --svg FILE      draw the table
  --instructions  count the instructions of a command, with valgrind, and nothing else
";

pub(crate) struct Options {
    pub(crate) quick: bool,
    pub(crate) rounds: usize,
    pub(crate) peers: Vec<Peer>,
    pub(crate) works: Vec<Work>,
    pub(crate) json: Option<PathBuf>,
    pub(crate) from: Option<PathBuf>,
    pub(crate) svg: Option<PathBuf>,
    pub(crate) instructions: bool,
}

impl Options {
    pub(crate) fn read(words: &[&str]) -> Res<Self> {
        let mut options = Self {
            quick: false,
            rounds: 5,
            peers: Peer::ALL.to_vec(),
            works: Work::ALL.to_vec(),
            json: None,
            from: None,
            svg: None,
            instructions: false,
        };
        let mut rounds = None;
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word {
                "--quick" => options.quick = true,
                "--rounds" => rounds = Some(value()?.parse::<usize>()?.max(1)),
                "--peers" => options.peers = list(value()?, Peer::named)?,
                "--works" => options.works = list(value()?, Work::named)?,
                "--json" => options.json = Some(value()?.into()),
                "--from" => options.from = Some(value()?.into()),
                "--svg" => options.svg = Some(value()?.into()),
                "--instructions" => options.instructions = true,
                "--help" | "-h" => {
                    print!("{USAGE}\npeers: {}\nworkloads: {}\n", Peer::names(), Work::names());
                    std::process::exit(0);
                }
                _ => return Err(format!("unknown: {word}\n\n{USAGE}").into()),
            }
        }
        options.rounds = rounds.unwrap_or(if options.quick { 1 } else { 5 });
        Ok(options)
    }
}

fn list<T>(names: &str, named: impl Fn(&str) -> Res<T>) -> Res<Vec<T>> {
    names.split(',').map(named).collect()
}
