//! Groups of parameters that do not fit a command.

use dockipc::{Args, command};

#[derive(Args)]
struct Common {
    name: String,
    #[arg(long)]
    times: Option<u64>,
    #[arg(flag)]
    loud: bool,
}

#[command]
fn same_name(name: &str, common: Common) {
    drop((name, common));
}

#[command]
fn same_option(common: Common, #[arg(flag = "times")] often: bool) {
    drop((common, often));
}

#[command]
fn twice(common: Common, other: Common) {
    drop((common, other));
}

#[command]
fn with_key(#[arg(long)] common: Common) {
    drop(common);
}

#[command]
fn optional(common: Option<Common>) {
    drop(common);
}

#[command]
fn list(common: Vec<Common>) {
    drop(common);
}

#[command]
fn behind(to: Option<String>, common: Common) {
    drop((to, common));
}

fn main() {}
