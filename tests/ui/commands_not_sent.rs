//! An enum of commands with a type that a client cannot send.

use std::str::FromStr;

use dockipc::{Arg, Client, Commands};

#[derive(Arg)]
#[arg(from_str)]
struct Quiet(u64);

impl FromStr for Quiet {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[derive(Commands)]
enum Action {
    Focus { quiet: Quiet },
}

fn main() {
    let client = Client::new("/run/ui.sock");
    let _ = client.request(Action::Focus { quiet: Quiet(1) });
}
