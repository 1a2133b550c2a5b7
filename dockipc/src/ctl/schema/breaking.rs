//! Finds the changes of an interface that can break callers of the old one.

use super::super::interface::{Argument, Interface, Kind};
use super::answers::{answer_changes, can_read};
use crate::rule::{self, Term};
use crate::text::is_within;

/// Returns the changes that can break a caller, each as a line of text.
pub(super) fn breaking_changes(old: &Interface, new: &Interface) -> Vec<String> {
    let mut changes = Vec::new();
    for before in old.commands.values() {
        let name = &before.name;
        let Some(after) = new.find(name) else {
            // Its callers were told.
            let advice = before.deprecated.as_ref();
            let advice = advice.map(|advice| format!(", which was deprecated: {advice}"));
            changes.push(format!("{name}: command removed{}", advice.unwrap_or_default()));
            continue;
        };
        for alias in &before.aliases {
            if new.find(alias).is_none_or(|command| command.name != after.name) {
                changes.push(format!("{name}: alias {alias} removed"));
            }
        }
        if before.is_idempotent && !after.is_idempotent {
            changes.push(format!("{name}: no longer idempotent"));
        }
        if before.leading > 0 && after.leading != before.leading {
            let advice = "give its arguments behind its name";
            changes.push(format!("{name}: words in the middle of the name: {advice}"));
        }
        if before.is_readonly && !after.is_readonly {
            changes.push(format!("{name}: no longer readonly"));
        }
        if after.is_destructive && !before.is_destructive {
            changes.push(format!("{name}: now destructive"));
        }
        if let (before, Some(after)) = (before.rule.as_deref(), &after.rule)
            && is_narrower(before.unwrap_or("any"), after)
        {
            let before = before.unwrap_or("none");
            changes.push(format!("{name}: access rule changed from {before} to {after}"));
        }
        let mut lines = arguments(&before.arguments, &after.arguments);
        if let (Some(before), Some(after)) = (&before.answer, &after.answer) {
            lines.extend(answer_changes(before, after));
        }
        changes.extend(lines.into_iter().map(|line| format!("{name}: {line}")));
    }
    changes
}

/// Returns whether an access rule can deny a caller that another one allowed.
fn is_narrower(before: &str, after: &str) -> bool {
    let (Ok(old), Ok(new)) = (rule::parse(before), rule::parse(after)) else {
        // Rules of a newer daemon.
        return before != after;
    };
    !new.contains(&Term::Any) && old.iter().any(|term| !new.contains(term))
}

fn arguments(before: &[Argument], after: &[Argument]) -> Vec<String> {
    let mut changes = positionals(before, after);
    changes.extend(last_words(before, after));
    let has_options =
        |arguments: &[Argument]| arguments.iter().any(|a| a.flag.is_some() || a.kind == Kind::Last);
    let has_short = |arguments: &[Argument]| arguments.iter().any(|a| a.short.is_some());
    let find = |arguments: &[Argument], name: &str| {
        arguments.iter().find(|argument| argument.flag.as_deref() == Some(name)).cloned()
    };
    for old in before {
        let Some(name) = &old.flag else { continue };
        match find(after, name) {
            Some(new) => changes.extend(narrowed(old, &new, name)),
            None => changes.push(format!("{name} removed")),
        }
    }
    for new in after {
        let Some(name) = &new.flag else { continue };
        if !new.is_optional && find(before, name).is_none() {
            changes.push(format!("{name} is now required"));
        }
    }
    if has_options(after) && !has_options(before) && before.iter().any(can_be_any_text) {
        changes.push("words that begin with -- are now options".into());
    }
    let is_free_word = |a: &Argument| is_placed(a) && can_be_any_text(a);
    if has_short(after) && !has_short(before) && before.iter().any(is_free_word) {
        changes.push("words that begin with - and a letter are now options".into());
    }
    changes
}

/// Compares the arguments that take the words behind `--`.
fn last_words(before: &[Argument], after: &[Argument]) -> Vec<String> {
    let [old, new] = [before, after]
        .map(|arguments| arguments.iter().find(|argument| argument.kind == Kind::Last));
    match (old, new) {
        (Some(old), Some(new)) => narrowed(old, new, &format!("<{}>", old.name)),
        (Some(old), None) => vec![format!("<{}> removed", old.name)],
        (None, Some(new)) if !new.is_optional => vec![format!("<{}> is now required", new.name)],
        (None, _) => Vec::new(),
    }
}

/// Compares positional arguments by their positions: a caller does not use their names.
fn positionals(before: &[Argument], after: &[Argument]) -> Vec<String> {
    let mut changes = Vec::new();
    let [before, after] = [before, after].map(|arguments| {
        arguments.iter().filter(|argument| is_placed(argument)).collect::<Vec<_>>()
    });
    for (i, old) in before.iter().enumerate() {
        match after.get(i) {
            Some(new) => changes.extend(narrowed(old, new, &format!("<{}>", old.name))),
            None if after.last().is_some_and(|last| takes_more(last)) => {}
            None => changes.push(format!("<{}> removed", old.name)),
        }
    }
    let took_more = before.last().is_some_and(|last| takes_more(last));
    for new in after.iter().skip(before.len()) {
        if took_more {
            changes.push(format!("<{}> takes words of another argument", new.name));
        } else if !new.is_optional {
            changes.push(format!("<{}> is now required", new.name));
        }
    }
    changes
}

/// Returns whether an argument is given by its place among the words.
fn is_placed(argument: &Argument) -> bool {
    argument.flag.is_none() && argument.kind != Kind::Last
}

/// Returns whether a positional argument takes all remaining words.
fn takes_more(argument: &Argument) -> bool {
    argument.is_multiple || argument.kind == Kind::Rest
}

/// Returns whether a value can be any text, with blanks, quotes or dashes at its beginning.
fn can_be_any_text(argument: &Argument) -> bool {
    let is_plain = matches!(
        &*argument.ty,
        "integer" | "number" | "boolean" | "character" | "duration" | "time" | "address"
    );
    !is_plain && argument.choices.is_empty()
}

/// Returns how an argument accepts less than before, or means something else.
fn narrowed(old: &Argument, new: &Argument, name: &str) -> Vec<String> {
    let mut changes = Vec::new();
    match (old.kind == Kind::Flag, new.kind == Kind::Flag) {
        (true, false) => changes.push(format!("{name} now needs a value")),
        (false, true) => changes.push(format!("{name} no longer takes a value")),
        _ => {}
    }
    match (old.kind == Kind::Rest, new.kind == Kind::Rest) {
        (true, false) => changes.push(format!("{name} no longer takes the rest of the line")),
        (false, true) if can_be_any_text(old) => {
            changes.push(format!("{name} now takes the rest of the line, quotes included"));
        }
        _ => {}
    }
    if let Some(short) = old.short.as_ref().filter(|short| new.short.as_ref() != Some(short)) {
        changes.push(format!("{short} for {name} removed"));
    }
    match (old.is_map, new.is_map) {
        (true, false) => changes.push(format!("{name} no longer takes KEY=VALUE")),
        (false, true) => changes.push(format!("{name} now takes KEY=VALUE")),
        _ => {}
    }
    if new.is_absolute && !old.is_absolute {
        changes.push(format!("{name} now accepts only absolute paths"));
    }
    changes.extend(narrowed_type(old, new, name));
    if old.is_optional && !new.is_optional {
        changes.push(format!("{name} is now required"));
    }
    if old.is_multiple && !new.is_multiple {
        changes.push(format!("{name} can no longer be repeated"));
    }
    let has_default = old.kind != Kind::Flag && old.is_optional && new.is_optional;
    if has_default && old.default != new.default {
        let shown = |default: &Option<String>| default.clone().unwrap_or_else(|| "none".into());
        let (old, new) = (shown(&old.default), shown(&new.default));
        changes.push(format!("default of {name} changed from {old} to {new}"));
    }
    changes
}

/// Returns how the type of an argument accepts fewer words than before.
fn narrowed_type(old: &Argument, new: &Argument, name: &str) -> Vec<String> {
    if !old.choices.is_empty() && !new.choices.is_empty() {
        let removed = old.choices.iter().chain(old.aliases.keys());
        let removed =
            removed.filter(|word| !new.choices.contains(word) && !new.aliases.contains_key(*word));
        return removed.map(|choice| format!("{name} no longer accepts {choice}")).collect();
    }
    let accepts_all = match &*new.ty {
        _ if !new.choices.is_empty() => false,
        // Our clients send items as values.
        "bytes" => old.of.is_none(),
        "path" if !old.choices.is_empty() => true,
        "text" if !can_be_any_text(old) => true,
        ty => old.choices.is_empty() && old.ty == ty,
    };
    if !accepts_all {
        let shown = |argument: &Argument| match &argument.choices[..] {
            [] => argument.ty.clone(),
            choices => format!("one of {}", choices.join(", ")),
        };
        return vec![format!("type of {name} changed from {} to {}", shown(old), shown(new))];
    }
    let mut changes = Vec::new();
    if let (Some(old), Some(new)) = (&old.of, &new.of)
        && !can_read(new, old)
    {
        changes.push(format!("{name} no longer accepts all items of {old}"));
    }
    let range = |argument: &Argument| argument.min.clone().zip(argument.max.clone());
    if old.ty == "integer"
        && let (Some((min, max)), Some((new_min, new_max))) = (range(old), range(new))
        && !is_within((&min, &max), (&new_min, &new_max))
    {
        changes.push(format!("{name} now accepts only {new_min} to {new_max}, not {min} to {max}"));
    }
    let most = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    let is_narrower = new.min_len > old.min_len
        || new.min_count > old.min_count
        || most(new.max_len) < most(old.max_len)
        || most(new.max_count) < most(old.max_count)
        // It cannot be told which of two patterns accepts more.
        || (new.pattern.is_some() && new.pattern != old.pattern)
        || (new.ty == "number" && is_narrower_float(old, new));
    if is_narrower {
        changes.push(format!("{name} now accepts only {}", new.limits().join(", ")));
    }
    changes
}

/// Returns whether a float accepts fewer numbers than before.
fn is_narrower_float(old: &Argument, new: &Argument) -> bool {
    let float = |limit: &Option<String>| limit.as_ref().and_then(|limit| limit.parse().ok());
    let least = |argument: &Argument| float(&argument.min).unwrap_or(f64::NEG_INFINITY);
    // With whether the number itself is accepted.
    let most = |argument: &Argument| match float(&argument.below) {
        Some(below) => (below, false),
        None => (float(&argument.max).unwrap_or(f64::INFINITY), true),
    };
    least(new) > least(old) || most(new) < most(old)
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::super::{FORMAT, from_json};
    use super::breaking_changes;

    pub(in super::super) fn argument(name: &str, with: Value) -> Value {
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

    pub(in super::super) fn option(name: &str, with: Value) -> Value {
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

    pub(in super::super) fn one(with: Value, arguments: &[Value]) -> Value {
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

    fn check(old: &Value, new: &Value, changes: &[&str]) {
        let [old, new] = [old, new].map(|json| from_json(json.clone()).unwrap().0);
        assert_eq!(breaking_changes(&old, &new), changes);
        assert_eq!(breaking_changes(&old, &old), [""; 0]);
    }

    fn arguments(old: &[Value], new: &[Value], changes: &[&str]) {
        check(&one(json!({}), old), &one(json!({}), new), changes);
    }

    #[test]
    fn removed_command_breaks() {
        let nothing = json!({ "dockipc": FORMAT, "commands": [] });
        let old = one(json!({ "aliases": ["plus"], "idempotent": true }), &[]);
        check(&old, &nothing, &["add: command removed"]);
        check(&nothing, &old, &[]);
        let new = one(json!({ "for": "uid:root" }), &[]);
        check(
            &old,
            &new,
            &[
                "add: alias plus removed",
                "add: no longer idempotent",
                "add: access rule changed from none to uid:root",
            ],
        );
        check(&new, &one(json!({}), &[]), &[]);
        let told = one(json!({ "deprecated": "use sum", "since": "1.2" }), &[]);
        check(&told, &nothing, &["add: command removed, which was deprecated: use sum"]);
        check(&one(json!({}), &[]), &told, &[]);
        let reads = one(json!({ "readonly": true }), &[]);
        let destroys = one(json!({ "destructive": true }), &[]);
        check(&reads, &destroys, &["add: no longer readonly", "add: now destructive"]);
        check(&destroys, &reads, &[]);
        // A renamed command that kept its name as an alias.
        let renamed = one(json!({ "name": "sum", "aliases": ["add"] }), &[]);
        check(&one(json!({}), &[]), &renamed, &[]);
    }

    #[test]
    fn changed_positional_breaks() {
        let n = |with| argument("n", with);
        let free = json!({});
        arguments(&[n(free.clone())], &[], &["add: <n> removed"]);
        arguments(&[], &[n(free.clone())], &["add: <n> is now required"]);
        arguments(&[], &[n(json!({ "optional": true }))], &[]);
        // A caller does not use the name.
        arguments(&[n(free.clone())], &[argument("m", free.clone())], &[]);
        arguments(
            &[n(free.clone())],
            &[n(json!({ "type": "integer" }))],
            &["add: type of <n> changed from text to integer"],
        );
        for wider in ["bytes", "text"] {
            arguments(&[n(json!({ "type": "integer" }))], &[n(json!({ "type": wider }))], &[]);
        }
        arguments(
            &[n(json!({ "optional": true }))],
            &[n(free.clone())],
            &["add: <n> is now required"],
        );
        let many = json!({ "optional": true, "multiple": true });
        arguments(
            &[n(many.clone())],
            &[n(json!({ "optional": true }))],
            &["add: <n> can no longer be repeated"],
        );
        arguments(&[n(free.clone()), argument("m", free.clone())], &[n(many.clone())], &[]);
        arguments(
            &[n(many.clone())],
            &[n(json!({ "optional": true })), argument("m", many)],
            &["add: <n> can no longer be repeated", "add: <m> takes words of another argument"],
        );
        let default = |text: &str| n(json!({ "optional": true, "default": text }));
        arguments(&[default("1")], &[default("2")], &["add: default of <n> changed from 1 to 2"]);
    }

    #[test]
    fn narrowed_integer_breaks() {
        let n = |ty: &str, min: &str, max: &str| {
            argument("n", json!({ "type": ty, "min": min, "max": max }))
        };
        let (wide, narrow) = (n("integer", "0", "65535"), n("integer", "0", "255"));
        arguments(
            std::slice::from_ref(&wide),
            std::slice::from_ref(&narrow),
            &["add: <n> now accepts only 0 to 255, not 0 to 65535"],
        );
        arguments(&[narrow], std::slice::from_ref(&wide), &[]);
        // An older daemon does not describe the range.
        let unknown = argument("n", json!({ "type": "integer" }));
        arguments(std::slice::from_ref(&unknown), std::slice::from_ref(&wide), &[]);
        arguments(&[wide], &[unknown], &[]);
    }

    #[test]
    fn narrowed_values_break() {
        let float = |with: Value| {
            let mut number = argument("n", json!({ "type": "number" }));
            with.as_object().unwrap().iter().for_each(|(key, value)| number[key] = value.clone());
            number
        };
        let text = |with: Value| argument("n", with);
        let list = |with: Value| {
            let mut list = argument("n", json!({ "multiple": true, "optional": true }));
            with.as_object().unwrap().iter().for_each(|(key, value)| list[key] = value.clone());
            list
        };
        for (wide, narrow, change) in [
            (float(json!({})), float(json!({ "min": "0.5" })), "at least 0.5"),
            (
                float(json!({ "min": "-1.0", "max": "1.0" })),
                float(json!({ "min": "-1.0", "below": "1.0" })),
                "at least -1.0 and less than 1.0",
            ),
            (text(json!({})), text(json!({ "min_len": 1 })), "at least 1 byte"),
            (text(json!({ "max_len": 9 })), text(json!({ "max_len": 8 })), "at most 8 bytes"),
            (text(json!({})), text(json!({ "pattern": "a+" })), "matching a+"),
            (list(json!({})), list(json!({ "min_count": 2 })), "at least 2 values"),
            (list(json!({ "max_count": 3 })), list(json!({ "max_count": 1 })), "at most 1 value"),
        ] {
            let change = format!("add: <n> now accepts only {change}");
            arguments(std::slice::from_ref(&wide), std::slice::from_ref(&narrow), &[&change]);
            arguments(&[narrow], &[wide], &[]);
        }
        let pattern = |pattern: &str| text(json!({ "pattern": pattern }));
        let change = "add: <n> now accepts only matching b+";
        arguments(&[pattern("a+")], &[pattern("b+")], &[change]);
    }

    #[test]
    fn narrowed_way_to_give_breaks() {
        let by = |with: Value| option("by", with);
        let short = by(json!({ "short": "-b" }));
        arguments(std::slice::from_ref(&short), &[by(json!({}))], &["add: -b for --by removed"]);
        arguments(&[by(json!({}))], std::slice::from_ref(&short), &[]);
        let text = argument("text", json!({}));
        arguments(
            &[text.clone(), by(json!({}))],
            &[text.clone(), short],
            &["add: words that begin with - and a letter are now options"],
        );
        let last = |optional: bool| {
            argument("words", json!({ "kind": "last", "multiple": true, "optional": optional }))
        };
        arguments(&[last(true)], &[last(false)], &["add: <words> is now required"]);
        arguments(&[last(true)], &[], &["add: <words> removed"]);
        arguments(&[], &[last(false)], &["add: <words> is now required"]);
        let number = argument("n", json!({ "type": "integer" }));
        arguments(std::slice::from_ref(&number), &[number.clone(), last(true)], &[]);
        arguments(
            std::slice::from_ref(&text),
            &[text.clone(), last(true)],
            &["add: words that begin with -- are now options"],
        );
        let map = argument("text", json!({ "map": true }));
        arguments(
            std::slice::from_ref(&text),
            std::slice::from_ref(&map),
            &["add: <text> now takes KEY=VALUE"],
        );
        arguments(&[map], &[text], &["add: <text> no longer takes KEY=VALUE"]);
        let path = |absolute: bool| argument("p", json!({ "type": "path", "absolute": absolute }));
        let change = "add: <p> now accepts only absolute paths";
        arguments(&[path(false)], &[path(true)], &[change]);
        arguments(&[path(true)], &[path(false)], &[]);
    }

    #[test]
    fn removed_alias_of_a_choice_breaks() {
        let n = |choices: &[&str], aliases: Value| {
            argument("n", json!({ "type": "unit", "choices": choices, "aliases": aliases }))
        };
        let (old, new) = (n(&["a"], json!({ "x": "a" })), n(&["b"], json!({ "a": "b" })));
        arguments(std::slice::from_ref(&old), &[new], &["add: <n> no longer accepts x"]);
        arguments(&[n(&["a"], json!({}))], &[old], &[]);
    }

    #[test]
    fn rest_that_becomes_words_breaks() {
        let text = |with: Value| argument("text", with);
        let rest = || text(json!({ "kind": "rest" }));
        let rest_removed = "add: <text> no longer takes the rest of the line";
        arguments(&[rest()], &[text(json!({}))], &[rest_removed]);
        let many = json!({ "optional": true, "multiple": true });
        arguments(&[rest()], &[text(many)], &[rest_removed]);
        arguments(
            &[text(json!({}))],
            &[rest()],
            &["add: <text> now takes the rest of the line, quotes included"],
        );
        arguments(
            &[rest()],
            &[text(json!({})), argument("m", json!({}))],
            &[rest_removed, "add: <m> takes words of another argument"],
        );
        // A number has neither blanks nor quotes.
        let number = argument("n", json!({ "type": "integer" }));
        arguments(&[number.clone(), number], &[rest()], &[]);
    }

    #[test]
    fn widened_rule_does_not_break() {
        let ruled = |rule: &str| one(json!({ "for": rule }), &[]);
        for (narrow, wide) in [
            ("owner", "owner | uid:root"),
            ("group:\"a | b\" | owner", "owner | group:adm | group:\"a | b\""),
            ("token", "any"),
        ] {
            check(&ruled(narrow), &ruled(wide), &[]);
            let change = format!("add: access rule changed from {wide} to {narrow}");
            check(&ruled(wide), &ruled(narrow), &[&change]);
        }
        check(&one(json!({}), &[]), &ruled("any"), &[]);
        // A rule that only newer daemons know.
        check(&ruled("new"), &ruled("newer"), &["add: access rule changed from new to newer"]);
    }

    #[test]
    fn changed_answer_breaks() {
        let answering = |ty: &str| one(json!({ "answer": { "type": ty } }), &[]);
        let change = "add: type of answer changed from text to float";
        check(&answering("text"), &answering("float"), &[change]);
        // An older daemon does not describe its answers.
        check(&answering("text"), &one(json!({}), &[]), &[]);
        check(&one(json!({}), &[]), &answering("text"), &[]);
    }

    #[test]
    fn removed_choice_breaks() {
        let n = |choices: &[&str]| argument("n", json!({ "type": "unit", "choices": choices }));
        arguments(&[n(&["a", "b"])], &[n(&["b", "c"])], &["add: <n> no longer accepts a"]);
        arguments(&[n(&["a"])], &[n(&["a", "b"])], &[]);
        arguments(&[n(&["a"])], &[argument("n", json!({}))], &[]);
        arguments(
            &[n(&["a"])],
            &[argument("n", json!({ "type": "integer" }))],
            &["add: type of <n> changed from one of a to integer"],
        );
        arguments(
            &[argument("n", json!({}))],
            &[n(&["a"])],
            &["add: type of <n> changed from text to one of a"],
        );
    }

    #[test]
    fn changed_option_breaks() {
        let by = |with| option("by", with);
        arguments(&[by(json!({}))], &[], &["add: --by removed"]);
        arguments(
            &[by(json!({}))],
            &[by(json!({ "optional": false }))],
            &["add: --by is now required"],
        );
        arguments(&[], &[by(json!({ "optional": false }))], &["add: --by is now required"]);
        arguments(
            &[by(json!({}))],
            &[by(json!({ "kind": "flag" }))],
            &["add: --by no longer takes a value"],
        );
        arguments(
            &[by(json!({ "kind": "flag" }))],
            &[by(json!({}))],
            &["add: --by now needs a value"],
        );
        let n = argument("n", json!({}));
        arguments(
            std::slice::from_ref(&n),
            &[n.clone(), by(json!({}))],
            &["add: words that begin with -- are now options"],
        );
        // No value of these can begin with dashes.
        let number = argument("n", json!({ "type": "integer" }));
        let choice = argument("n", json!({ "type": "unit", "choices": ["a"] }));
        for old in [number, choice] {
            arguments(std::slice::from_ref(&old), &[old.clone(), by(json!({}))], &[]);
        }
    }
}
