//! Finds the changes of an answer that can break its readers.
//!
//! A reader takes every answer of the old type. So a type that has only some of its values, such as a smaller
//! integer, and a struct with more fields are no changes. An enum that may have other words, `#[dockipc(other)]`, may get
//! more of them, since its readers are prepared. So an enum that becomes one of these can break a reader: of the next
//! version that has more, nothing would be said.

use super::super::interface::{Answer, Type};
use crate::text::is_within;

/// Returns the changes between two types of an answer, each as a line of text.
pub(super) fn answer_changes(old: &Answer, new: &Answer) -> Vec<String> {
    let mut changes = Vec::new();
    compare(old, new, "answer", &mut changes);
    changes
}

/// Returns whether a reader of a type can read the values of another one.
pub(super) fn can_read(reader: &Answer, written: &Answer) -> bool {
    answer_changes(reader, written).is_empty()
}

/// Compares the types of a value. `what` names it.
fn compare(old: &Answer, new: &Answer, what: &str, changes: &mut Vec<String>) {
    match (&old.ty, &new.ty) {
        (Type::Unknown, _) => {}
        (Type::Optional { of: old }, Type::Optional { of: new }) => {
            compare(old, new, what, changes);
        }
        // The value is now always there.
        (Type::Optional { of }, _) => compare(of, new, what, changes),
        (_, Type::Optional { of }) => {
            changes.push(format!("{what} can now be missing"));
            compare(old, of, what, changes);
        }
        (Type::List { of: old }, Type::List { of: new })
        | (Type::Set { of: old }, Type::Set { of: new })
        | (Type::Stream { of: old }, Type::Stream { of: new }) => {
            compare(old, new, &format!("item of {what}"), changes);
        }
        (Type::Map { key, of }, Type::Map { key: new_key, of: new_of }) => {
            compare(key, new_key, &format!("key of {what}"), changes);
            compare(of, new_of, &format!("value of {what}"), changes);
        }
        (Type::Row { columns: old }, Type::Row { columns: new }) => {
            if old.len() != new.len() {
                let (old, new) = (old.len(), new.len());
                changes.push(format!("number of columns of {what} changed from {old} to {new}"));
            }
            for (i, (old, new)) in old.iter().zip(new).enumerate() {
                compare(old, new, &format!("column {} of {what}", i + 1), changes);
            }
        }
        (Type::Struct { fields: old, .. }, Type::Struct { fields: new, .. }) => {
            // A struct within itself was compared there.
            let (Some(old), Some(new)) = (old, new) else { return };
            for old in old {
                let what = format!("field {} of {what}", old.name);
                match new.iter().find(|new| new.name == old.name) {
                    Some(new) => compare(&old.of, &new.of, &what, changes),
                    None => changes.push(format!("{what} removed")),
                }
            }
        }
        (Type::Enum { .. } | Type::Union { .. }, Type::Enum { .. } | Type::Union { .. }) => {
            compare_variants(old, new, what, changes);
        }
        (Type::Json { schema: old }, Type::Json { schema: new }) => {
            // Whether every value of the new one is one of the old is not decided here.
            if let (Some(old), Some(new)) = (old, new)
                && old != new
            {
                changes.push(format!("JSON Schema of {what} changed"));
            }
        }
        (Type::Int { min, max }, Type::Int { min: new_min, max: new_max }) => {
            if !is_within((new_min, new_max), (min, max)) {
                changes.push(format!(
                    "{what} can now be {new_min} to {new_max}, not only {min} to {max}"
                ));
            }
        }
        (old_type, new_type) => {
            let has_form = old.form.is_none() || old.form == new.form;
            let is_same = old_type == new_type && has_form;
            let is_text = matches!(new_type, Type::Text | Type::Enum { .. });
            // Each text is one of all texts, and of all bytes.
            let is_narrower =
                matches!(old_type, Type::Text | Type::Bytes) && old.form.is_none() && is_text;
            if !is_same && !is_narrower {
                changes.push(format!("type of {what} changed from {old} to {new}"));
            }
        }
    }
}

/// Compares two enums. One of words is a union whose variants have no values.
fn compare_variants(old: &Answer, new: &Answer, what: &str, changes: &mut Vec<String>) {
    // A union within itself was compared there.
    let (Some(before), Some(after)) = (variants(&old.ty), variants(&new.ty)) else { return };
    for (name, of) in after {
        match (before.iter().find(|(old, _)| *old == name), of) {
            (None, _) if old.is_open => {}
            (None, _) => changes.push(format!("{what} can now be {name}")),
            (Some((_, Some(old))), Some(new)) => {
                compare(old, new, &format!("{name} of {what}"), changes);
            }
            (Some((_, Some(_))), None) => {
                changes.push(format!("{name} of {what} no longer has a value"));
            }
            (Some((_, None)), Some(_)) => changes.push(format!("{name} of {what} now has a value")),
            (Some((_, None)), None) => {}
        }
    }
    if new.is_open && !old.is_open {
        changes.push(format!("{what} can be another word in the next version"));
    }
}

fn variants(ty: &Type) -> Option<Vec<(&str, Option<&Answer>)>> {
    match ty {
        Type::Enum { words, .. } => Some(words.iter().map(|word| (&**word, None)).collect()),
        Type::Union { variants, .. } => {
            let variants = variants.as_ref()?.iter();
            Some(variants.map(|variant| (&*variant.name, variant.of.as_ref())).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::answer_changes;

    fn check(old: &Value, new: &Value, changes: &[&str]) {
        let [old, new] = [old, new].map(|json| serde_json::from_value(json.clone()).unwrap());
        assert_eq!(answer_changes(&old, &new), changes, "{old} to {new}");
        assert_eq!(answer_changes(&old, &old), [""; 0], "{old}");
    }

    fn ty(name: &str) -> Value {
        json!({ "type": name })
    }

    fn int(min: &str, max: &str) -> Value {
        json!({ "type": "int", "min": min, "max": max })
    }

    fn of(container: &str, of: &Value) -> Value {
        json!({ "type": container, "of": of })
    }

    fn form(ty: &str, form: &str) -> Value {
        json!({ "type": ty, "form": form })
    }

    #[test]
    fn changed_type_of_answer_breaks() {
        let (u8, text) = (int("0", "255"), ty("text"));
        check(&u8, &text, &["type of answer changed from int to text"]);
        check(&ty("nothing"), &ty("bool"), &["type of answer changed from nothing to bool"]);
        check(&of("list", &u8), &u8, &["type of answer changed from list of int to int"]);
        check(
            &of("list", &u8),
            &of("set", &u8),
            &["type of answer changed from list of int to set of int"],
        );
        let map = |key: &Value, of: &Value| json!({ "type": "map", "key": key, "of": of });
        check(
            &map(&text, &u8),
            &map(&u8, &text),
            &[
                "type of key of answer changed from text to int",
                "type of value of answer changed from int to text",
            ],
        );
        check(&u8, &ty("unknown"), &["type of answer changed from int to unknown"]);
        check(&ty("unknown"), &u8, &[]);
        // Only a newer daemon knows it.
        check(&json!({ "type": "future", "of": u8 }), &u8, &[]);
        check(&of("stream", &u8), &u8, &["type of answer changed from stream of int to int"]);
    }

    #[test]
    fn wider_answer_breaks_and_narrower_does_not() {
        for (narrow, wide, change) in [
            (int("0", "255"), int("0", "65535"), "answer can now be 0 to 65535, not only 0 to 255"),
            (
                int("0", "127"),
                int("-128", "127"),
                "answer can now be -128 to 127, not only 0 to 127",
            ),
            (ty("bool"), of("optional", &ty("bool")), "answer can now be missing"),
            (ty("text"), ty("bytes"), "type of answer changed from text to bytes"),
            (form("text", "time"), ty("text"), "type of answer changed from time to text"),
            (form("bytes", "path"), ty("bytes"), "type of answer changed from path to bytes"),
            (
                json!({ "type": "enum", "name": "Mood", "words": ["good"] }),
                json!({ "type": "enum", "name": "Mood", "words": ["bad", "good"] }),
                "answer can now be bad",
            ),
            (
                json!({ "type": "enum", "name": "Mood", "words": ["good"] }),
                ty("text"),
                "type of answer changed from Mood to text",
            ),
        ] {
            check(&narrow, &wide, &[change]);
            check(&wide, &narrow, &[]);
        }
        check(
            &form("text", "time"),
            &form("text", "duration"),
            &["type of answer changed from time to duration"],
        );
    }

    #[test]
    fn changed_rows_break() {
        let rows = |columns: &[Value]| of("list", &json!({ "type": "row", "columns": columns }));
        check(
            &rows(&[ty("bool"), ty("text")]),
            &rows(&[ty("bool")]),
            &["number of columns of item of answer changed from 2 to 1"],
        );
        check(
            &rows(&[ty("bool"), ty("text")]),
            &rows(&[ty("bool"), ty("float")]),
            &["type of column 2 of item of answer changed from text to float"],
        );
        check(
            &rows(&[ty("bool"), ty("text")]),
            &of("list", &ty("text")),
            &["type of item of answer changed from row of bool, text to text"],
        );
        check(
            &rows(&[ty("bool"), ty("text")]),
            &ty("text"),
            &["type of answer changed from rows of bool, text to text"],
        );
    }

    #[test]
    fn removed_field_breaks_and_added_does_not() {
        let tree = |fields: &[(&str, Value)]| {
            let fields: Vec<_> =
                fields.iter().map(|(name, of)| json!({ "name": name, "of": of })).collect();
            json!({ "type": "struct", "name": "Tree", "fields": fields })
        };
        let inner = of("list", &json!({ "type": "struct", "name": "Tree" }));
        let old = tree(&[("label", ty("text")), ("branches", inner.clone())]);
        let more = [("age", ty("float")), ("label", ty("text")), ("branches", inner.clone())];
        check(&old, &tree(&more), &[]);
        check(&tree(&more), &old, &["field age of answer removed"]);
        check(
            &of("list", &tree(&more)),
            &of("list", &tree(&[("age", ty("bool"))])),
            &[
                "type of field age of item of answer changed from float to bool",
                "field label of item of answer removed",
                "field branches of item of answer removed",
            ],
        );
    }

    #[test]
    fn changed_text_does_not_break() {
        let job = |help: Value| {
            let mut field = json!({ "name": "id", "of": ty("text") });
            let mut word = json!({ "name": "a" });
            if help.is_string() {
                (field["help"], word["help"]) = (help.clone(), help);
            }
            let words =
                json!({ "type": "enum", "name": "Word", "words": ["a"], "variants": [word] });
            let union = json!({ "name": "b", "of": words });
            let union = json!({ "type": "union", "name": "Union", "variants": [union, word] });
            let fields =
                json!([field, { "name": "word", "of": words }, { "name": "union", "of": union }]);
            of("list", &json!({ "type": "struct", "name": "Job", "fields": fields }))
        };
        let (none, one, other) = (job(json!(null)), job(json!("One.")), job(json!("Other.")));
        check(&none, &one, &[]);
        check(&one, &none, &[]);
        check(&one, &other, &[]);
    }

    #[test]
    fn new_variant_breaks_unless_the_enum_is_open() {
        let shape = |variants: &[(&str, Option<Value>)], is_open: bool| {
            let variants: Vec<_> = variants
                .iter()
                .map(|(name, of)| match of {
                    Some(of) => json!({ "name": name, "of": of }),
                    None => json!({ "name": name }),
                })
                .collect();
            let mut ty = json!({ "type": "union", "name": "Shape", "variants": variants });
            if is_open {
                ty["other"] = json!(true);
            }
            ty
        };
        let (point, circle) = (("point", None), ("circle", Some(ty("float"))));
        let square = ("square", Some(int("0", "9")));
        let two = [point.clone(), circle.clone()];
        let three = [point.clone(), circle.clone(), square];
        check(&shape(&two, false), &shape(&three, false), &["answer can now be square"]);
        check(&shape(&three, false), &shape(&two, false), &[]);
        check(&shape(&two, true), &shape(&three, true), &[]);
        check(&shape(&two, true), &shape(&two, false), &[]);
        check(
            &of("list", &shape(&two, false)),
            &of("list", &shape(&two, true)),
            &["item of answer can be another word in the next version"],
        );
        let changed = [("point", Some(ty("text"))), ("circle", None)];
        check(
            &shape(&two, true),
            &shape(&changed, true),
            &["point of answer now has a value", "circle of answer no longer has a value"],
        );
        check(
            &shape(&two, false),
            &shape(&[point, ("circle", Some(ty("text")))], false),
            &["type of circle of answer changed from float to text"],
        );
        // Words are variants without values.
        let words = json!({ "type": "enum", "name": "Shape", "words": ["point"] });
        check(&words, &shape(&two, false), &["answer can now be circle"]);
        check(&shape(&two, false), &words, &[]);
    }
}
