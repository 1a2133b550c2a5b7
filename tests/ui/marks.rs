//! Mistakes in what callers should know about a command.

use dockipc::command;

#[command("a", deprecated)]
fn without_reason() {}

#[command("b", deprecated = " ")]
fn empty_reason() {}

#[command("c", since)]
fn without_version() {}

#[command("d", since = 1.2)]
fn version_is_a_number() {}

#[command("e", readonly, destructive)]
fn contradiction() {}

#[command("f", since = "1", since = "2", deprecated = "use a", deprecated = "use b")]
fn twice() {}

#[command("g", readonly = true)]
fn with_value() {}

fn main() {
    without_reason();
    empty_reason();
    without_version();
    version_is_a_number();
    contradiction();
    twice();
    with_value();
}
