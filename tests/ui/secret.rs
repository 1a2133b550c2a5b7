//! Invalid uses of secrets.

use dockipc::{Secret, State, command};

#[command]
fn a_flag(#[arg(flag, secret)] _loud: bool) {}

#[command]
fn a_value(#[arg(secret = true)] _name: String) {}

fn main() {}

mod types {
    use super::*;

    #[command]
    fn proposed(#[arg(complete = names)] _name: Secret<String>) {}

    #[command]
    fn injected(#[arg(secret)] _state: State<u8>) {}

    #[command]
    fn not_wiped(_name: Secret<std::path::PathBuf>) {}

    fn names(_: &str) -> Vec<String> {
        Vec::new()
    }
}
