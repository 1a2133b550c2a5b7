//! `schema`: a daemon's interface as JSON, and what would break the callers of an earlier one.

use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::complaint::Complaint;
use super::exit::Exit;
use super::interface::{Argument, Description, Interface, Kind};
use super::output::{escaped, json_text};
use super::written;

/// The version of the format. Another one can't be compared.
const FORMAT: u64 = 1;

/// Prints the interface, or compares it with the one in a file.
pub(super) fn schema(interface: &Interface, old: Option<&Path>) -> Result<Exit, Complaint> {
    let Some(path) = old else {
        let mut out = io::stdout().lock();
        return written(writeln!(out, "{}", json_text(&to_json(interface))));
    };
    let text = std::fs::read(path).map_err(|error| Complaint::unread(path.display(), &error))?;
    let json = serde_json::from_slice(&text).map_err(|error| format!("no JSON: {error}"));
    let old = json.and_then(|json| from_json(&json));
    let old = old.map_err(|why| Complaint::unread(path.display(), &why))?;
    let broken = breaks(&old, interface);
    let mut out = io::stdout().lock();
    for line in &broken {
        if let Err(error) = writeln!(out, "{}", escaped(line)) {
            return written(Err(error));
        }
    }
    Ok(if broken.is_empty() { Exit::Answered } else { Exit::Refused })
}

/// In a stable order: commands by name, arguments as they are declared. What every daemon has is not
/// in it.
fn to_json(interface: &Interface) -> Value {
    let own = interface.commands.values().filter(|command| !command.is_builtin);
    json!({ "dockipc": FORMAT, "commands": own.map(command_to_json).collect::<Vec<_>>() })
}

fn command_to_json(command: &Description) -> Value {
    json!({
        "name": command.name,
        "aliases": command.aliases,
        "summary": command.summary,
        "details": command.details,
        "usage": command.usage,
        "idempotent": command.is_idempotent,
        "for": command.rule,
        "arguments": command.arguments.iter().map(argument_to_json).collect::<Vec<_>>(),
    })
}

fn argument_to_json(argument: &Argument) -> Value {
    let (kind, flag) = match &argument.kind {
        Kind::Positional => ("positional", None),
        Kind::Rest => ("rest", None),
        Kind::Option(flag) => ("option", Some(flag)),
        Kind::Flag(flag) => ("flag", Some(flag)),
    };
    json!({
        "name": argument.name,
        "kind": kind,
        "flag": flag,
        "type": argument.ty,
        "choices": argument.choices,
        "default": argument.default,
        "optional": argument.is_optional,
        "multiple": argument.is_multiple,
        "help": argument.help,
        "secret": argument.is_secret,
        "completes": argument.completes,
    })
}

fn from_json(json: &Value) -> Result<Interface, String> {
    match json.get("dockipc").and_then(Value::as_u64) {
        Some(FORMAT) => {}
        Some(other) => return Err(format!("format {other}; this program reads {FORMAT}")),
        None => return Err("not what `schema` prints: no \"dockipc\": 1".into()),
    }
    let commands = list(json, "commands")?.iter().map(|command| {
        let command = command_from_json(command)?;
        Ok((command.name.clone(), command))
    });
    Ok(Interface { commands: commands.collect::<Result<_, String>>()? })
}

fn command_from_json(json: &Value) -> Result<Description, String> {
    Ok(Description {
        name: text(json, "name")?,
        summary: text(json, "summary")?,
        details: text(json, "details")?,
        usage: text(json, "usage")?,
        aliases: texts(json, "aliases")?,
        is_idempotent: flag(json, "idempotent")?,
        rule: maybe_text(json, "for")?,
        is_builtin: false,
        arguments: list(json, "arguments")?
            .iter()
            .map(argument_from_json)
            .collect::<Result<_, _>>()?,
    })
}

fn argument_from_json(json: &Value) -> Result<Argument, String> {
    let kind = match (&*text(json, "kind")?, maybe_text(json, "flag")?) {
        ("positional", None) => Kind::Positional,
        ("rest", None) => Kind::Rest,
        ("option", Some(flag)) => Kind::Option(flag),
        ("flag", Some(flag)) => Kind::Flag(flag),
        (other, _) => return Err(format!("no argument is of the kind {other:?}")),
    };
    Ok(Argument {
        name: text(json, "name")?,
        kind,
        ty: text(json, "type")?,
        choices: texts(json, "choices")?,
        default: maybe_text(json, "default")?,
        is_optional: flag(json, "optional")?,
        is_multiple: flag(json, "multiple")?,
        help: text(json, "help")?,
        is_secret: flag(json, "secret")?,
        completes: flag(json, "completes")?,
    })
}

fn field<'j>(json: &'j Value, key: &str) -> Result<&'j Value, String> {
    json.get(key).ok_or_else(|| format!("{key:?} is missing"))
}

fn list<'j>(json: &'j Value, key: &str) -> Result<&'j Vec<Value>, String> {
    field(json, key)?.as_array().ok_or_else(|| format!("{key:?} is no list"))
}

fn text(json: &Value, key: &str) -> Result<String, String> {
    maybe_text(json, key)?.ok_or_else(|| format!("{key:?} is null"))
}

fn maybe_text(json: &Value, key: &str) -> Result<Option<String>, String> {
    match field(json, key)? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(format!("{key:?} is no text")),
    }
}

fn texts(json: &Value, key: &str) -> Result<Vec<String>, String> {
    let texts = list(json, key)?.iter().map(|text| text.as_str().map(str::to_owned));
    texts.collect::<Option<_>>().ok_or_else(|| format!("{key:?} has something that is no text"))
}

fn flag(json: &Value, key: &str) -> Result<bool, String> {
    field(json, key)?.as_bool().ok_or_else(|| format!("{key:?} is neither true nor false"))
}

/// What worked with the old interface and may not with the new one, a line each.
///
/// Not known, and so not compared: what an answer is.
fn breaks(old: &Interface, new: &Interface) -> Vec<String> {
    let mut broken = Vec::new();
    for before in old.commands.values() {
        let name = &before.name;
        let Some(after) = new.find(name) else {
            broken.push(format!("{name}: the command is gone"));
            continue;
        };
        for alias in &before.aliases {
            if new.find(alias).is_none_or(|command| command.name != after.name) {
                broken.push(format!("{name}: the alias {alias} is gone"));
            }
        }
        if before.is_idempotent && !after.is_idempotent {
            broken.push(format!("{name}: to run it twice is no longer the same as once"));
        }
        if let (before, Some(after)) = (&before.rule, &after.rule)
            && before.as_ref() != Some(after)
        {
            let before = before.as_deref().unwrap_or("everybody");
            broken.push(format!("{name}: it was for {before}, and is for {after}"));
        }
        let lines = arguments(&before.arguments, &after.arguments);
        broken.extend(lines.into_iter().map(|line| format!("{name}: {line}")));
    }
    broken
}

fn arguments(before: &[Argument], after: &[Argument]) -> Vec<String> {
    let mut broken = Vec::new();
    let placed = |arguments: &[Argument]| {
        let placed = arguments.iter().filter(|a| matches!(a.kind, Kind::Positional | Kind::Rest));
        placed.cloned().collect::<Vec<_>>()
    };
    // Those that stand by their place have no name for a caller.
    let (old_placed, new_placed) = (placed(before), placed(after));
    for (i, old) in old_placed.iter().enumerate() {
        match new_placed.get(i) {
            Some(new) => broken.extend(changed(old, new, &format!("<{}>", old.name))),
            None if new_placed.last().is_some_and(|last| last.is_multiple) => {}
            None => broken.push(format!("<{}> is gone", old.name)),
        }
    }
    let takes_more = old_placed.last().is_some_and(|last| last.is_multiple);
    for new in new_placed.iter().skip(old_placed.len()) {
        if takes_more {
            broken.push(format!("<{}> takes a word that was another's", new.name));
        } else if !new.is_optional {
            broken.push(format!("<{}> must be given now", new.name));
        }
    }
    let flag = |argument: &Argument| match &argument.kind {
        Kind::Option(flag) | Kind::Flag(flag) => Some(flag.clone()),
        Kind::Positional | Kind::Rest => None,
    };
    for old in before {
        let Some(name) = flag(old) else { continue };
        match after.iter().find(|new| flag(new).as_ref() == Some(&name)) {
            Some(new) => broken.extend(changed(old, new, &name)),
            None => broken.push(format!("{name} is gone")),
        }
    }
    for new in after {
        let Some(name) = flag(new) else { continue };
        if !new.is_optional && !before.iter().any(|old| flag(old).as_ref() == Some(&name)) {
            broken.push(format!("{name} must be given now"));
        }
    }
    let has_options = |arguments: &[Argument]| arguments.iter().any(|a| flag(a).is_some());
    if has_options(after) && !has_options(before) && !before.is_empty() {
        broken.push("a word that begins with -- is an option now".into());
    }
    broken
}

/// What became narrower, or means something else.
fn changed(old: &Argument, new: &Argument, name: &str) -> Vec<String> {
    let mut broken = Vec::new();
    let is_flag = |argument: &Argument| matches!(argument.kind, Kind::Flag(_));
    match (is_flag(old), is_flag(new)) {
        (true, false) => broken.push(format!("{name} needs a value now")),
        (false, true) => broken.push(format!("{name} takes no value now")),
        _ => {}
    }
    if old.choices.is_empty() && new.choices.is_empty() && old.ty != new.ty && new.ty != "bytes" {
        broken.push(format!("{name} was {}, and is {}", old.ty, new.ty));
    }
    if old.choices.is_empty() && !new.choices.is_empty() {
        broken.push(format!("{name} was {}, and is one of {}", old.ty, new.choices.join(", ")));
    }
    if !new.choices.is_empty() {
        for choice in old.choices.iter().filter(|choice| !new.choices.contains(choice)) {
            broken.push(format!("{name} does not take {choice} any more"));
        }
    }
    if old.is_optional && !new.is_optional {
        broken.push(format!("{name} must be given now"));
    }
    if old.is_multiple && !new.is_multiple {
        broken.push(format!("{name} is given once now"));
    }
    if !is_flag(old) && old.is_optional && new.is_optional && old.default != new.default {
        let shown = |default: &Option<String>| default.clone().unwrap_or_else(|| "nothing".into());
        let (old, new) = (shown(&old.default), shown(&new.default));
        broken.push(format!("{name} is {new} when it is left out, where it was {old}"));
    }
    broken
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{FORMAT, breaks, from_json, to_json};

    fn argument(name: &str, with: Value) -> Value {
        let mut argument = json!({
            "name": name, "kind": "positional", "flag": null, "type": "text", "choices": [],
            "default": null, "optional": false, "multiple": false, "help": "", "secret": false,
            "completes": false,
        });
        if let Value::Object(with) = with {
            for (key, value) in with {
                argument[key] = value;
            }
        }
        argument
    }

    fn option(name: &str, with: Value) -> Value {
        let mut option = argument(name, json!({ "optional": true }));
        option["kind"] = json!("option");
        option["flag"] = json!(format!("--{name}"));
        if let Value::Object(with) = with {
            for (key, value) in with {
                option[key] = value;
            }
        }
        option
    }

    fn one(with: Value, arguments: &[Value]) -> Value {
        let mut command = json!({
            "name": "add", "aliases": [], "summary": "", "details": "", "usage": "",
            "idempotent": false, "for": null, "arguments": arguments,
        });
        if let Value::Object(with) = with {
            for (key, value) in with {
                command[key] = value;
            }
        }
        json!({ "dockipc": FORMAT, "commands": [command] })
    }

    fn check(old: &Value, new: &Value, broken: &[&str]) {
        let [old, new] = [old, new].map(|json| from_json(json).unwrap());
        assert_eq!(breaks(&old, &new), broken);
        // Nothing breaks what is the same.
        assert_eq!(breaks(&old, &old), [""; 0]);
    }

    fn arguments(old: &[Value], new: &[Value], broken: &[&str]) {
        check(&one(json!({}), old), &one(json!({}), new), broken);
    }

    #[test]
    fn what_is_printed_is_read_again() {
        let json = one(
            json!({ "aliases": ["plus"], "for": "any", "idempotent": true }),
            &[argument("n", json!({ "default": "1", "optional": true })), option("by", json!({}))],
        );
        let interface = from_json(&json).unwrap();
        assert_eq!(to_json(&interface).to_string(), json.to_string());
    }

    #[test]
    fn what_is_no_interface_is_refused() {
        for (json, why) in [
            (json!([]), "no \"dockipc\": 1"),
            (json!({ "dockipc": 2 }), "format 2; this program reads 1"),
            (json!({ "dockipc": 1 }), "\"commands\" is missing"),
            (json!({ "dockipc": 1, "commands": [{}] }), "\"name\" is missing"),
            (one(json!({ "name": 1 }), &[]), "\"name\" is no text"),
            (one(json!({}), &[argument("n", json!({ "kind": "new" }))]), "of the kind \"new\""),
            (one(json!({}), &[argument("n", json!({ "optional": 1 }))]), "neither true nor false"),
        ] {
            let error = from_json(&json).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn commands_that_go_break() {
        let nothing = json!({ "dockipc": FORMAT, "commands": [] });
        let old = one(json!({ "aliases": ["plus"], "idempotent": true }), &[]);
        check(&old, &nothing, &["add: the command is gone"]);
        check(&nothing, &old, &[]);
        let new = one(json!({ "for": "uid:root" }), &[]);
        check(
            &old,
            &new,
            &[
                "add: the alias plus is gone",
                "add: to run it twice is no longer the same as once",
                "add: it was for everybody, and is for uid:root",
            ],
        );
        check(&new, &one(json!({}), &[]), &[]);
        // A command that was renamed, and kept its name as an alias.
        let renamed = one(json!({ "name": "sum", "aliases": ["add"] }), &[]);
        check(&one(json!({}), &[]), &renamed, &[]);
    }

    #[test]
    fn arguments_by_their_place_break() {
        let n = |with| argument("n", with);
        let free = json!({});
        arguments(&[n(free.clone())], &[], &["add: <n> is gone"]);
        arguments(&[], &[n(free.clone())], &["add: <n> must be given now"]);
        arguments(&[], &[n(json!({ "optional": true }))], &[]);
        // Its name is nothing to a caller.
        arguments(&[n(free.clone())], &[argument("m", free.clone())], &[]);
        arguments(
            &[n(free.clone())],
            &[n(json!({ "type": "integer" }))],
            &["add: <n> was text, and is integer"],
        );
        arguments(&[n(json!({ "type": "integer" }))], &[n(json!({ "type": "bytes" }))], &[]);
        arguments(
            &[n(json!({ "optional": true }))],
            &[n(free.clone())],
            &["add: <n> must be given now"],
        );
        let many = json!({ "optional": true, "multiple": true });
        arguments(
            &[n(many.clone())],
            &[n(json!({ "optional": true }))],
            &["add: <n> is given once now"],
        );
        arguments(&[n(free.clone()), argument("m", free.clone())], &[n(many.clone())], &[]);
        arguments(
            &[n(many.clone())],
            &[n(json!({ "optional": true })), argument("m", many)],
            &["add: <n> is given once now", "add: <m> takes a word that was another's"],
        );
        let default = |text: &str| n(json!({ "optional": true, "default": text }));
        arguments(
            &[default("1")],
            &[default("2")],
            &["add: <n> is 2 when it is left out, where it was 1"],
        );
    }

    #[test]
    fn choices_that_go_break() {
        let n = |choices: &[&str]| argument("n", json!({ "type": "unit", "choices": choices }));
        arguments(&[n(&["a", "b"])], &[n(&["b", "c"])], &["add: <n> does not take a any more"]);
        arguments(&[n(&["a"])], &[n(&["a", "b"])], &[]);
        arguments(&[n(&["a"])], &[argument("n", json!({}))], &[]);
        arguments(
            &[argument("n", json!({}))],
            &[n(&["a"])],
            &["add: <n> was text, and is one of a"],
        );
    }

    #[test]
    fn options_break() {
        let by = |with| option("by", with);
        arguments(&[by(json!({}))], &[], &["add: --by is gone"]);
        arguments(
            &[by(json!({}))],
            &[by(json!({ "optional": false }))],
            &["add: --by must be given now"],
        );
        arguments(&[], &[by(json!({ "optional": false }))], &["add: --by must be given now"]);
        arguments(
            &[by(json!({}))],
            &[by(json!({ "kind": "flag" }))],
            &["add: --by takes no value now"],
        );
        arguments(
            &[by(json!({ "kind": "flag" }))],
            &[by(json!({}))],
            &["add: --by needs a value now"],
        );
        let n = argument("n", json!({}));
        arguments(
            std::slice::from_ref(&n),
            &[n.clone(), by(json!({}))],
            &["add: a word that begins with -- is an option now"],
        );
    }
}
