//! Variants with invalid words.

use dockipc::Arg;

#[derive(Arg)]
enum Color {
    #[arg(name = "dark red")]
    DarkRed,
    #[arg(name = "")]
    None,
}

fn main() {
    let _ = (Color::DarkRed, Color::None);
}
