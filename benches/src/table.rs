//! The table, in Markdown.

use std::fmt::Write;

use crate::peers::Peer;
use crate::results::Results;
use crate::work::Work;

pub(crate) fn table(results: &Results) -> String {
    let mut text = format!("{}.\n\n", results.origin());
    let peers: Vec<Peer> = results.peers().collect();
    row(
        &mut text,
        ["workload".into(), "figure".into()]
            .into_iter()
            .chain(peers.iter().map(|peer| peer.title().into())),
    );
    row(&mut text, (0..peers.len() + 2).map(|i| if i < 2 { "---" } else { "---:" }.into()));
    for work in results.works() {
        for (i, figure) in work.figures().iter().enumerate() {
            let name = if i == 0 { work.name() } else { "" };
            let first = [name.to_owned(), figure.title.to_owned()];
            let cells = peers.iter().map(|&peer| cell(results, peer, work, figure.key));
            row(&mut text, first.into_iter().chain(cells));
        }
    }
    text.push_str("\nIn brackets: the ratio to the floor and to Redis. ");
    let of = |floor| {
        let works = results.works().filter(|work| work.floor() == floor);
        let names = works.map(Work::name).collect::<Vec<_>>().join(", ");
        if names.is_empty() { "none".into() } else { names }
    };
    let _ = writeln!(
        text,
        "The floor is the blocking one for {}, the thread per connection for {}, the one for RESP for {}, the epoll one for \
         the others.\n",
        of(Peer::Floor),
        of(Peer::Threads),
        of(Peer::FloorResp)
    );
    for work in results.works() {
        let _ = writeln!(text, "- `{}`: {}", work.name(), work.title());
    }
    for run in &results.runs {
        if let Err(why) = &run.outcome {
            let _ = writeln!(
                text,
                "- failed: {} {}, round {}: {why}",
                run.peer.name(),
                run.work.name(),
                run.round + 1
            );
        }
    }
    text
}

fn row(text: &mut String, cells: impl Iterator<Item = String>) {
    for cell in cells {
        let _ = write!(text, "| {cell} ");
    }
    text.push_str("|\n");
}

fn cell(results: &Results, peer: Peer, work: Work, key: &str) -> String {
    let Some(value) = results.median(peer, work, key) else {
        return if results.has(peer, work) { "failed" } else { "" }.into();
    };
    let ratio = |other: Peer| {
        let base = results.median(other, work, key).filter(|&base| base > 0.0 && other != peer);
        base.map(|base| format!("{:.2}×", value / base))
    };
    // Counts have no ratio.
    let others =
        [work.floor(), Peer::Redis].map(|other| ratio(other).unwrap_or_else(|| "–".into()));
    let is_count = key.starts_with("threads") || key == "answered";
    if is_count || others.iter().all(|ratio| ratio == "–") {
        return short(value);
    }
    format!("{} ({})", short(value), others.join(" "))
}

/// Formats a number with about three digits.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        0.0..10.0 if value.fract() == 0.0 => format!("{value:.0}"),
        0.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        100.0..1000.0 => format!("{value:.0}"),
        _ => {
            let digits = format!("{value:.0}");
            let (head, sign) = digits.strip_prefix('-').map_or((&digits[..], ""), |d| (d, "-"));
            let mut grouped = String::from(sign);
            for (i, digit) in head.chars().enumerate() {
                if i > 0 && (head.len() - i).is_multiple_of(3) {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            grouped
        }
    }
}
