//! Unknown keys of `#[arg]` at a type and at a variant, and values of the wrong kind.

use dockipc::Arg;

#[derive(Arg)]
#[arg(rename_all = "lowercase")]
enum Color {
    Red,
}

#[derive(Arg)]
enum Shade {
    #[arg(rename = "black")]
    Dark,
    #[arg(name = 5)]
    Light,
}

#[derive(Arg)]
#[arg(crate = "dockipc")]
enum Form {
    Round,
}

#[derive(Arg)]
#[arg(from_str)]
enum Parsed {
    #[arg(name = "whole")]
    All,
}

impl std::str::FromStr for Parsed {
    type Err = &'static str;

    fn from_str(_: &str) -> Result<Self, Self::Err> {
        Ok(Self::All)
    }
}

fn main() {
    let _ = (Color::Red, Shade::Dark, Shade::Light, Form::Round, Parsed::All);
}
