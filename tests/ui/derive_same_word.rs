//! Two variants with the same word.

use dockipc::Arg;

#[derive(Arg)]
enum Color {
    DarkRed,
    #[arg(name = "dark-red")]
    Red,
}

fn main() {
    let _ = (Color::DarkRed, Color::Red);
}
