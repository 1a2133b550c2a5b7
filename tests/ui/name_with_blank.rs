//! Command names with blanks at the wrong places.

use dockipc::command;

#[command("group add all")]
fn three_words() {}

#[command("group  add")]
fn two_blanks() {}

#[command("group ", alias = " group")]
fn no_word() {}

#[command("group -add")]
fn dash() {}

#[command("config add")]
fn reserved() {}

#[command("fine", alias = "ping me")]
fn built_in() {}

fn main() {
    three_words();
    two_blanks();
    no_word();
    dash();
    reserved();
    built_in();
}
