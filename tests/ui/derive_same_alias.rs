//! Aliases that are words or aliases already.

use dockipc::Arg;

#[derive(Arg)]
enum Signal {
    #[arg(alias = "int", alias = "int")]
    Interrupt,
    #[arg(alias = "interrupt")]
    Terminate,
    #[arg(name = "int")]
    Hangup,
    #[arg(alias)]
    Quit,
    #[arg(alias = "a b")]
    Abort,
}

#[derive(Arg)]
#[arg(ignore_case)]
enum Level {
    Low,
    #[arg(alias = "LOW")]
    High,
}

#[derive(Arg)]
#[arg(from_str, ignore_case)]
enum Unit {
    #[arg(alias = "s")]
    Second,
}

impl std::str::FromStr for Unit {
    type Err = String;

    fn from_str(_: &str) -> Result<Self, String> {
        Ok(Self::Second)
    }
}

fn main() {}
