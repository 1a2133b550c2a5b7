//! Functions that do not fit an enum of commands.

use dockipc::{Body, Commands, Peer, command};

#[derive(Commands)]
enum Action {
    Focus { id: u64 },
    Quit,
}

#[derive(Commands)]
#[command(prefix = "window")]
enum Window {
    Close,
}

#[derive(Commands)]
enum Other {
    Sleep,
}

#[command("act")]
fn other_parameter(action: Action, id: u64, peer: Peer) {
    drop((action, id, peer));
}

#[command("both")]
fn two_enums(action: Action, window: Window) {
    drop((action, window));
}

#[command("front")]
fn optional_in_front(name: Option<String>, action: Action) {
    drop((name, action));
}

#[command("option")]
fn option_in_front(#[arg(long)] name: String, action: Action) {
    drop((name, action));
}

#[command(flatten)]
fn front_of_flat(name: String, action: Other) {
    drop((name, action));
}

#[command("twice")]
fn name_of_a_field(id: u8, action: Action) {
    drop((id, action));
}

#[command("maybe")]
fn optional(action: Option<Action>) {
    drop(action);
}

#[command("body")]
fn body_in_front(body: Body, action: Action) {
    drop((body, action));
}

#[command(flatten)]
fn protocol_name(action: Action) {
    drop(action);
}

#[command("windows")]
fn other_prefix(window: Window) {
    drop(window);
}

#[command(flatten)]
fn no_enum(peer: Peer) {
    drop(peer);
}

#[command("name", flatten)]
fn flatten_with_name(action: Action) {
    drop(action);
}

fn main() {}
