//! Short names that are no letters, are taken, or are of no option.

use dockipc::command;

#[command]
fn say(
    #[arg(short = '5', long)] five: u64,
    #[arg(short = "w", long)] word: &str,
    #[arg(short, long)] times: u64,
    #[arg(short, long)] total: u64,
    #[arg(short)] loud: bool,
    #[arg(short, rest)] text: &str,
) {
    let _ = (five, word, times, total, loud, text);
}

fn main() {
    say(1, "", 1, 1, true, "");
}
