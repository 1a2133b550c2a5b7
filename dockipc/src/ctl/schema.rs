//! `schema`: prints a daemon's interface as JSON or as a typed client, or compares it with an earlier one.

use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::args::Language;
use super::call::unread;
use super::daemon::Daemon;
use super::error::{CliError, remark};
use super::exit::Exit;
use super::interface::{Description, Interface, Kind};
use super::output::{escaped, json_text};
use super::written;

mod answers;
mod breaking;
mod caller;
mod json;
mod part;
mod python;
mod rust;
mod types;
mod typescript;

use breaking::breaking_changes;
use caller::Caller;

/// The version of the format. Only files of this version can be compared.
const FORMAT: u64 = 1;

/// The output of `schema`: commands by name, their arguments in the order of their declaration.
/// Built-in commands are left out, since every daemon has them.
#[derive(Serialize, Deserialize)]
struct Schema {
    #[serde(rename = "dockipc")]
    format: u64,
    /// The caller that the commands are described for.
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<Caller>,
    commands: Vec<Description>,
}

/// Prints the interface, or compares it with the one in a file.
pub(super) fn schema(
    daemon: &Daemon,
    old: Option<&Path>,
    language: Option<Language>,
) -> Result<Exit, CliError> {
    let client = &daemon.questions();
    if let Some(language) = language {
        let (interface, name) = (Interface::of(client)?, &*daemon.name);
        let text = match language {
            Language::Rust { is_async } => rust::rust(&interface, name, is_async),
            Language::Python => python::python(&interface, name),
            Language::Typescript => typescript::typescript(&interface, name),
        };
        return written(io::stdout().lock().write_all(text.as_bytes()));
    }
    let (mut interface, caller) = (Interface::of(client)?, Caller::of(client));
    let Some(path) = old else {
        let mut out = io::stdout().lock();
        return written(writeln!(out, "{}", json_text(&to_json(&interface, caller))));
    };
    let mut text = Vec::new();
    let read = daemon.file(path).and_then(|mut file| file.read_to_end(&mut text));
    read.map_err(|error| unread(path.display(), &error))?;
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text);
    let json = serde_json::from_slice(text).map_err(|error| format!("invalid JSON: {error}"));
    let old = json.and_then(from_json);
    let (old, saved) = old.map_err(|why| CliError::unread(path.display(), &why))?;
    // A command that is hidden now can still be called.
    let names = old.commands.values().flat_map(|old| old.aliases.iter().chain([&old.name]));
    let unlisted: Vec<_> =
        names.filter(|name| interface.find(name).is_none()).map(|name| &**name).collect();
    if !unlisted.is_empty() {
        interface.commands.extend(Interface::named(client, &unlisted)?.commands);
    }
    if let Some(difference) = Caller::difference(saved.as_ref(), caller.as_ref()) {
        remark(difference);
    }
    let changes = breaking_changes(&old, &interface);
    let mut out = io::stdout().lock();
    for change in &changes {
        if let Err(error) = writeln!(out, "{}", escaped(change)) {
            return written(Err(error));
        }
    }
    Ok(if changes.is_empty() { Exit::Answered } else { Exit::Refused })
}

fn to_json(interface: &Interface, caller: Option<Caller>) -> Value {
    let own = interface.commands.values().filter(|command| !command.is_builtin);
    json!(Schema { format: FORMAT, caller, commands: own.cloned().collect() })
}

fn from_json(json: Value) -> Result<(Interface, Option<Caller>), String> {
    match json.get("dockipc").and_then(Value::as_u64) {
        Some(FORMAT) => {}
        Some(other) => return Err(format!("unsupported format {other}; expected {FORMAT}")),
        None => return Err("not the output of `schema`: \"dockipc\": 1 is missing".into()),
    }
    let Schema { caller, commands, .. } =
        serde_json::from_value(json).map_err(|e| e.to_string())?;
    let mut arguments = commands.iter().flat_map(|command| &command.arguments);
    if let Some(argument) = arguments.find(|argument| argument.kind == Kind::Unknown) {
        return Err(format!("argument {:?} is of an unknown kind", argument.name));
    }
    Ok((commands.into_iter().collect(), caller))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::breaking::tests::{argument, one, option};
    use super::{from_json, to_json};

    #[test]
    fn printed_schema_is_read_back() {
        let json = one(
            json!({
                "aliases": ["plus"], "for": "any", "idempotent": true,
                "answer": { "type": "list", "of": { "type": "text", "form": "time" } },
            }),
            &[argument("n", json!({ "default": "1", "optional": true })), option("by", json!({}))],
        );
        let (interface, caller) = from_json(json.clone()).unwrap();
        assert_eq!(to_json(&interface, caller).to_string(), json.to_string());
    }

    #[test]
    fn invalid_schema_is_refused() {
        for (json, why) in [
            (json!([]), "\"dockipc\": 1 is missing"),
            (json!({ "dockipc": 2 }), "unsupported format 2; expected 1"),
            (json!({ "dockipc": 1 }), "missing field `commands`"),
            (json!({ "dockipc": 1, "commands": [{}] }), "missing field `name`"),
            (one(json!({ "name": 1 }), &[]), "invalid type: integer `1`, expected a string"),
            (
                one(json!({}), &[argument("n", json!({ "kind": "new" }))]),
                "argument \"n\" is of an unknown kind",
            ),
            (
                one(json!({}), &[argument("n", json!({ "optional": 1 }))]),
                "invalid type: integer `1`, expected a boolean",
            ),
        ] {
            let error = from_json(json).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
