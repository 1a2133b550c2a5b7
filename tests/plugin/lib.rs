//! Commands that another crate serves. It refers to this one with `use plugin as _;`.

use dockipc::{State, command};

/// Greet somebody.
#[command("plugin.greet", alias = "greet")]
fn greet(greeting: State<String>, name: &str) -> String {
    format!("{}, {name}", *greeting)
}

/// Commands of a private module are found as well.
mod inner {
    use dockipc::command;

    #[command("plugin.version")]
    fn version() -> &'static str {
        "1"
    }
}
