//! Draws the table: a group of bars for each workload, readable on light and dark backgrounds,
//! without scripts or fonts.

use std::fmt::Write;

use crate::peers::Peer;
use crate::results::Results;
use crate::table::short;
use crate::work::Work;

const COLUMNS: usize = 2;
const WIDTH: usize = 470;
const GAP: usize = 24;
const HEAD: usize = 46;
const BAR: usize = 20;
/// The left edge of the bars, right of the names.
const LEFT: usize = 150;
/// The length of the longest bar; its value follows it.
const LONGEST: usize = 190;

const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#24292f}\
.title{font-weight:600;font-size:13px}\
.note{fill:#57606a;font-size:11px}\
.name{text-anchor:end}\
.other{fill:#8c959f}\
.ours{fill:#1a7f5a}\
.own{font-weight:600}\
.cut{fill:#fff}\
@media(prefers-color-scheme:dark){\
text{fill:#e6edf3}.note{fill:#9198a1}.other{fill:#656c76}.ours{fill:#3fb98a}.cut{fill:#0d1117}}";

pub(crate) fn draw(results: &Results) -> String {
    let mut body = String::new();
    let mut bottoms = [0; COLUMNS];
    for work in results.works() {
        let bars = bars(results, work);
        if bars.is_empty() {
            continue;
        }
        // Into the shorter column; the left one if both are equal.
        let column = (0..COLUMNS).min_by_key(|&i| bottoms[i]).unwrap_or(0);
        let (x, y) = (column * (WIDTH + GAP), bottoms[column]);
        group(&mut body, results, work, &bars, (x, y));
        bottoms[column] = y + HEAD + bars.len() * BAR + GAP;
    }
    let width = COLUMNS * WIDTH + (COLUMNS - 1) * GAP;
    let height = bottoms.iter().max().unwrap_or(&0) + 16;
    let machine = escaped(&results.origin());
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" \
         aria-label=\"dockipc beside its peers\">\n<style>{STYLE}</style>\n{body}\
         <text class=\"note\" x=\"0\" y=\"{}\">{machine}</text>\n</svg>\n",
        height - 5
    )
}

/// Returns the main figure of each peer that has one.
fn bars(results: &Results, work: Work) -> Vec<(Peer, f64)> {
    let key = work.figures()[0].key;
    results.peers().filter_map(|peer| Some((peer, results.median(peer, work, key)?))).collect()
}

fn group(
    body: &mut String,
    results: &Results,
    work: Work,
    bars: &[(Peer, f64)],
    (x, y): (usize, usize),
) {
    let figure = &work.figures()[0];
    let better = if figure.is_rate { "more is better" } else { "less is better" };
    let base = [Peer::Redis, work.floor()].into_iter().find_map(|peer| {
        let value = results.median(peer, work, figure.key).filter(|&value| value > 0.0)?;
        Some((peer, value))
    });
    let compared = base.map(|(peer, _)| format!("; × of {}", peer.title())).unwrap_or_default();
    let _ = writeln!(body, "<g transform=\"translate({x} {y})\">");
    let _ = writeln!(body, "<text class=\"title\" x=\"0\" y=\"16\">{}</text>", work.title());
    let _ = writeln!(
        body,
        "<text class=\"note\" x=\"0\" y=\"33\">{}, {better}{compared}</text>",
        figure.title
    );
    // An outlier does not flatten the others.
    let mut values: Vec<f64> = bars.iter().map(|(_, value)| *value).collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values[values.len() / 2];
    let full = values[values.len() - 1].min(if values.len() > 2 { middle * 4.0 } else { f64::MAX });
    for (i, (peer, value)) in bars.iter().enumerate() {
        let top = HEAD + i * BAR;
        let line = top + 13;
        let share = if full > 0.0 { value / full } else { 0.0 };
        let length = (share.clamp(0.0, 1.0) * LONGEST as f64).max(1.0);
        let (class, own) = if peer.is_ours() { ("ours", " own") } else { ("other", "") };
        let name = peer.title();
        let _ = writeln!(
            body,
            "<text class=\"name{own}\" x=\"{}\" y=\"{line}\">{name}</text>\
             <rect class=\"{class}\" x=\"{LEFT}\" y=\"{}\" width=\"{length:.1}\" height=\"{}\"/>",
            LEFT - 8,
            top + 2,
            BAR - 5,
        );
        if share > 1.0 {
            // A gap marks a shortened bar.
            let at = LEFT + LONGEST - 20;
            let _ = writeln!(
                body,
                "<path class=\"cut\" d=\"M{at} {}l6 -17h5l-6 17z\"/>",
                top + BAR - 2
            );
        }
        let ratio = base.filter(|(other, _)| other != peer);
        let ratio = ratio.map(|(_, base)| format!(" ({:.2}×)", value / base)).unwrap_or_default();
        let _ = writeln!(
            body,
            "<text class=\"value{own}\" x=\"{:.1}\" y=\"{line}\">{}{ratio}</text>",
            LEFT as f64 + length + 6.0,
            short(*value)
        );
    }
    body.push_str("</g>\n");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
