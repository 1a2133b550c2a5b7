//! One run reports every mistake of a derived type.

use dockipc::{Arg, command};

#[derive(Arg)]
#[arg(rename_all = "lowercase", crate = "dockipc")]
enum Color<'a, T> {
    #[arg(name = "dark red", rename = "red")]
    DarkRed,
    #[arg(name = 5)]
    Green(&'a T),
    #[arg(name = "blue", name = "azure")]
    Blue,
    #[arg(name = "blue")]
    Azure(u8),
}

#[command]
fn paint(_color: Color<'_, u8>) {}

fn main() {
    let _ = [Color::DarkRed, Color::Green(&1), Color::Blue, Color::Azure(1)];
    let _ = paint;
}
