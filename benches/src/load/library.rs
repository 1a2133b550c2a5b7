//! `dockipc::Client` beside the same loop without a library, against the same daemon, by turns: the ratio of
//! neighbouring blocks is not affected by what else the machine does.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use super::{Job, PAYLOAD, nanos, watchdog};
use crate::Res;
use crate::peers::{Caller, resp};
use crate::results::Figures;

/// The number of calls in a block.
const BLOCK: usize = 480;
/// The number of calls in flight in a pipeline.
const PIPELINE: usize = 16;

/// The loop without a library. It encodes each command and parses each answer.
struct Bare {
    stream: UnixStream,
    output: Vec<u8>,
    input: [u8; 8192],
}

impl Bare {
    fn batch(&mut self, word: &str, batch: usize) -> Res<()> {
        self.output.clear();
        for _ in 0..batch {
            self.output.extend_from_slice(b"*2\r\n");
            for word in [word, PAYLOAD] {
                write!(self.output, "${}\r\n{word}\r\n", word.len())?;
            }
        }
        self.stream.write_all(&self.output)?;
        let (mut at, mut fill, mut answers) = (0, 0, 0);
        while answers < batch {
            let Some((bytes, length)) = resp::bulk_answer(&self.input[at..fill])? else {
                match self.stream.read(&mut self.input[fill..])? {
                    0 => return Err("closed before the answer".into()),
                    n => fill += n,
                }
                continue;
            };
            if bytes != PAYLOAD.as_bytes() {
                return Err("another answer".into());
            }
            at += length;
            answers += 1;
        }
        Ok(())
    }
}

pub(crate) fn bench(job: &Job) -> Res<Figures> {
    watchdog();
    let ours = Caller::new(job);
    let stream = UnixStream::connect(&job.socket)?;
    let mut bare = Bare { stream, output: Vec::new(), input: [0; 8192] };
    let word = job.peer.word();
    let mut ratios = Vec::new();
    let mut trips = Vec::new();
    for batch in [1, PIPELINE] {
        let mut pairs = Vec::new();
        for i in 0..job.calls / BLOCK {
            let ours = || block(batch, || ours.batch(batch));
            let mut bare = || block(batch, || bare.batch(word, batch));
            // By turns, so that neither always follows the other.
            let (ours, bare) = if i % 2 == 0 {
                (ours()?, bare()?)
            } else {
                let bare = bare()?;
                (ours()?, bare)
            };
            pairs.push([ours, bare]);
        }
        pairs.drain(..pairs.len() / 20);
        ratios.push(median(pairs.iter().map(|[ours, bare]| ours / bare).collect()));
        trips.push([0, 1].map(|i| median(pairs.iter().map(|pair| pair[i]).collect())));
    }
    Ok(vec![
        ("trip".into(), ratios[0]),
        ("rate".into(), 1.0 / ratios[1]),
        ("ours_us".into(), trips[0][0]),
        ("bare_us".into(), trips[0][1]),
    ])
}

/// Returns the microseconds of a call.
fn block(batch: usize, mut run: impl FnMut() -> Res<()>) -> Res<f64> {
    let start = Instant::now();
    for _ in 0..BLOCK / batch {
        run()?;
    }
    Ok(nanos(start) as f64 / 1e3 / BLOCK as f64)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
