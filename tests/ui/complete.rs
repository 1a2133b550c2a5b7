//! Invalid uses of `complete`.

use dockipc::command;

#[command]
fn no_function(#[arg(complete)] _name: String) {}

#[command]
fn not_a_function(#[arg(complete = "names")] _name: String) {}

#[command]
fn twice(#[arg(complete = names, complete = names)] _name: String) {}

#[command]
fn a_flag(#[arg(flag, complete = names)] _loud: bool) {}

#[command]
fn other_parameters(#[arg(complete = wrong)] _name: String) {}

fn names(_: &str) -> Vec<String> {
    Vec::new()
}

fn wrong(_: u32) -> Vec<String> {
    Vec::new()
}

fn main() {}
