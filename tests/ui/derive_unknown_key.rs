//! Unknown keys of `#[arg]` at a type and at a variant, and values of the wrong kind.

use dockipc::Arg;

#[derive(Arg)]
#[arg(rename_all = "lowercase")]
enum Color {
    Red,
}

#[derive(Arg)]
enum Shade {
    #[arg(alias = "black")]
    Dark,
    #[arg(name = 5)]
    Light,
}

#[derive(Arg)]
#[arg(crate = "dockipc")]
enum Form {
    Round,
}

fn main() {
    let _ = (Color::Red, Shade::Dark, Shade::Light, Form::Round);
}
