//! `#[derive(Arg)]`: a client sends the type that the daemon parses.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use dockipc::client::Way;
use dockipc::{Arg, command};

use super::daemon::daemon;

#[derive(Arg, Clone, Copy, Debug, PartialEq)]
enum Color {
    Red,
    DarkBlue,
    #[arg(name = "other")]
    Rest,
}

/// Two numbers.
#[derive(Arg, Debug, PartialEq)]
#[arg(from_str)]
struct Range(u64, u64);

impl FromStr for Range {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        Ok(Self(from.parse()?, to.parse()?))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

/// It has no `Display`, and so cannot be sent.
#[derive(Arg)]
#[arg(from_str)]
struct Quiet(#[allow(dead_code)] u64);

impl FromStr for Quiet {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

#[command]
fn paint(color: Color, #[arg(long)] range: Option<Range>, #[arg(long)] more: Vec<Color>) -> String {
    format!("{color:?} {range:?} {more:?}")
}

#[command]
fn take_quiet(_quiet: Quiet) {}

#[test]
fn derived_types_are_sent_as_they_are_parsed() {
    let daemon = daemon();
    let client = daemon.client();
    let call = client
        .command("paint")
        .give(&Color::DarkBlue, Way::Position)
        .give(&Some(Range(3, 9)), Way::Long("range"))
        .give(&vec![Color::Rest, Color::Red], Way::Long("more"));
    let answer: String = call.call().unwrap();
    assert_eq!(answer, "DarkBlue Some(Range(3, 9)) [Rest, Red]");

    let answer: String = client.command("paint").arg(Color::Rest).call().unwrap();
    assert_eq!(answer, "Rest None []");
}
