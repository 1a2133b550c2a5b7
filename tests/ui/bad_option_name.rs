//! Invalid option names.

use dockipc::command;

#[command]
fn dashes(#[arg(flag = "--loud")] loud: bool) -> bool {
    loud
}

#[command]
fn capital(#[arg(long = "Times")] times: u8) -> u8 {
    times
}

#[command]
fn word(#[arg(long = times)] times: u8) -> u8 {
    times
}

#[command]
fn umlaut(#[arg(flag)] grün: bool) -> bool {
    grün
}

fn main() {
    dashes(true);
    capital(1);
    word(1);
    umlaut(true);
}
