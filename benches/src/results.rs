//! The results, in memory and as lines of JSON.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::Res;
use crate::peers::Peer;
use crate::work::Work;

/// The figures of a run, by name.
pub(crate) type Figures = Vec<(String, f64)>;

pub(crate) struct Results {
    /// The machine and the date.
    pub(crate) machine: String,
    /// Whether the runs had a tenth of the calls.
    pub(crate) quick: bool,
    pub(crate) runs: Vec<Run>,
}

/// One run of a server and a client.
pub(crate) struct Run {
    pub(crate) round: usize,
    pub(crate) peer: Peer,
    pub(crate) work: Work,
    /// The figures, or the reason why there are none.
    pub(crate) outcome: Result<Figures, String>,
}

impl Results {
    pub(crate) fn median(&self, peer: Peer, work: Work, key: &str) -> Option<f64> {
        let runs = self.runs.iter().filter(|run| run.peer == peer && run.work == work);
        let figures = runs.filter_map(|run| run.outcome.as_ref().ok()).flatten();
        let mut values: Vec<_> = figures.filter(|(k, _)| k == key).map(|(_, v)| *v).collect();
        values.sort_unstable_by(f64::total_cmp);
        let middle = values.len() / 2;
        let upper = *values.get(middle)?;
        Some(if values.len() % 2 == 0 { f64::midpoint(values[middle - 1], upper) } else { upper })
    }

    pub(crate) fn has(&self, peer: Peer, work: Work) -> bool {
        self.runs.iter().any(|run| run.peer == peer && run.work == work)
    }

    /// Returns the peers with results, in their usual order.
    pub(crate) fn peers(&self) -> impl Iterator<Item = Peer> {
        Peer::ALL.iter().copied().filter(|&peer| self.runs.iter().any(|run| run.peer == peer))
    }

    pub(crate) fn works(&self) -> impl Iterator<Item = Work> {
        Work::ALL.iter().copied().filter(|&work| self.runs.iter().any(|run| run.work == work))
    }

    /// Returns a line with the machine, the date and the number of rounds.
    pub(crate) fn origin(&self) -> String {
        let rounds = match self.runs.iter().map(|run| run.round + 1).max() {
            Some(1) => "one round".into(),
            n => format!("medians of {} rounds", n.unwrap_or(0)),
        };
        let quick = if self.quick { ", quick" } else { "" };
        format!("{}; {rounds}{quick}", self.machine)
    }

    pub(crate) fn write(&self, file: &Path) -> Res<()> {
        let mut text = format!("{}\n", json!({ "machine": self.machine, "quick": self.quick }));
        for run in &self.runs {
            let mut line =
                json!({ "round": run.round, "peer": run.peer.name(), "work": run.work.name() });
            match &run.outcome {
                Ok(figures) => line["figures"] = json(figures),
                Err(why) => line["failed"] = why.as_str().into(),
            }
            let _ = writeln!(text, "{line}");
        }
        Ok(fs::write(file, text)?)
    }

    pub(crate) fn read(file: &Path) -> Res<Self> {
        let text = fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
        let mut lines = text.lines().map(serde_json::from_str::<Value>);
        let first = lines.next().ok_or("no results")??;
        let machine = first["machine"].as_str().ok_or("the first line names no machine")?.into();
        let quick = first["quick"] == true;
        let runs = lines.map(|line| run(&line?)).collect::<Res<_>>()?;
        Ok(Self { machine, quick, runs })
    }
}

fn run(line: &Value) -> Res<Run> {
    let text = |key: &str| line[key].as_str().ok_or_else(|| format!("no {key} in {line}"));
    let outcome = match line.get("failed") {
        Some(why) => Err(why.as_str().unwrap_or_default().into()),
        None => Ok(figures(&line["figures"])?),
    };
    Ok(Run {
        round: line["round"].as_u64().ok_or("no round")? as usize,
        peer: Peer::named(text("peer")?)?,
        work: Work::named(text("work")?)?,
        outcome,
    })
}

pub(crate) fn json(figures: &Figures) -> Value {
    let entries = figures.iter().map(|(key, value)| (key.clone(), json!(value)));
    Value::Object(entries.collect::<Map<_, _>>())
}

pub(crate) fn figures(value: &Value) -> Res<Figures> {
    let object = value.as_object().ok_or("figures that are no object")?;
    let figure = |(key, value): (&String, &Value)| {
        Ok((key.clone(), value.as_f64().ok_or_else(|| format!("{key} is no number"))?))
    };
    object.iter().map(figure).collect()
}
