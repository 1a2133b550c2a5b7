//! The type of a JSON value, as far as its JSON Schema says it simply.

use serde_json::{Map, Value};

use super::super::output::escaped;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Json {
    Any,
    Null,
    Bool,
    Int,
    Number,
    Text,
    /// One of these texts.
    Words(Vec<String>),
    List(Box<Json>),
    /// An object whose values have one type.
    Map(Box<Json>),
    Object(Vec<Property>),
    OneOf(Vec<Json>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) is_required: bool,
    pub(super) of: Json,
}

/// The most parts of a schema that become a type. A small schema can refer to its parts very often.
const MAX_PARTS: usize = 200;

/// The deepest type, so that one within itself ends.
const MAX_DEPTH: usize = 6;

impl Json {
    /// Returns the type that a schema describes. What it does not describe simply is [`Any`](Self::Any).
    pub(super) fn of(schema: Option<&str>) -> Self {
        let root = schema.and_then(|schema| serde_json::from_str(schema).ok());
        let Some(root) = root else { return Self::Any };
        Reader { root: &root, parts: 0 }.read(&root, 0)
    }
}

struct Reader<'s> {
    root: &'s Value,
    /// The number of parts that were read.
    parts: usize,
}

impl Reader<'_> {
    fn read(&mut self, schema: &Value, depth: usize) -> Json {
        self.parts += 1;
        let Some(schema) = schema.as_object() else { return Json::Any };
        if self.parts > MAX_PARTS || depth > MAX_DEPTH {
            return Json::Any;
        }
        // Each of these says something about the value, and two of them are not one simple type.
        let kinds = ["$ref", "allOf", "anyOf", "const", "enum", "if", "not", "oneOf", "type"];
        let mut given = kinds.into_iter().filter(|kind| schema.contains_key(*kind));
        let ((Some(kind), None) | (Some(kind @ ("const" | "enum")), Some("type"))) =
            (given.next(), given.next())
        else {
            return Json::Any;
        };
        match (kind, &schema[kind]) {
            ("$ref", Value::String(place)) => {
                let root = self.root;
                let part = place.strip_prefix('#').and_then(|place| root.pointer(place));
                part.map_or(Json::Any, |part| self.read(part, depth + 1))
            }
            ("anyOf" | "oneOf", Value::Array(parts)) => {
                one_of(parts.iter().map(|part| self.read(part, depth + 1)).collect())
            }
            ("const" | "enum", _) => words(schema),
            ("type", Value::String(name)) => self.typed(name, schema, depth),
            ("type", Value::Array(names)) => {
                let names = names.iter().filter_map(Value::as_str);
                one_of(names.map(|name| self.typed(name, schema, depth)).collect())
            }
            _ => Json::Any,
        }
    }

    fn typed(&mut self, name: &str, schema: &Map<String, Value>, depth: usize) -> Json {
        match name {
            "null" => Json::Null,
            "boolean" => Json::Bool,
            "integer" => Json::Int,
            "number" => Json::Number,
            "string" => Json::Text,
            "array" if !schema.contains_key("prefixItems") => {
                let items = schema.get("items").map(|items| self.read(items, depth + 1));
                Json::List(Box::new(items.unwrap_or(Json::Any)))
            }
            "object" if !schema.contains_key("patternProperties") => self.object(schema, depth),
            _ => Json::Any,
        }
    }

    fn object(&mut self, schema: &Map<String, Value>, depth: usize) -> Json {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            let of = schema.get("additionalProperties").map(|of| self.read(of, depth + 1));
            return Json::Map(Box::new(of.unwrap_or(Json::Any)));
        };
        let required = schema.get("required").and_then(Value::as_array);
        let is_required =
            |name: &str| required.is_some_and(|names| names.iter().any(|other| other == name));
        let mut list = Vec::new();
        for (name, of) in properties {
            if !is_plain(name) {
                return Json::Any;
            }
            let of = self.read(of, depth + 1);
            list.push(Property { name: name.clone(), is_required: is_required(name), of });
        }
        Json::Object(list)
    }
}

/// Returns the texts of `enum` and `const`.
fn words(schema: &Map<String, Value>) -> Json {
    let words = match (schema.get("enum"), schema.get("const")) {
        (Some(Value::Array(words)), None) => words.iter().collect(),
        (None, Some(word)) => vec![word],
        _ => Vec::new(),
    };
    let text = |word: &Value| word.as_str().filter(|word| is_plain(word)).map(str::to_owned);
    let texts: Option<Vec<_>> = words.into_iter().map(text).collect();
    texts.filter(|words| !words.is_empty()).map_or(Json::Any, Json::Words)
}

fn one_of(all: Vec<Json>) -> Json {
    let mut types: Vec<Json> = Vec::new();
    for one in all {
        if let (Json::Words(more), Some(Json::Words(words))) = (&one, types.last_mut()) {
            words.extend_from_slice(more);
        } else if !types.contains(&one) {
            types.push(one);
        }
    }
    if types.contains(&Json::Any) {
        return Json::Any;
    }
    match types.len() {
        0 => Json::Any,
        1 => types.remove(0),
        _ => Json::OneOf(types),
    }
}

/// Returns whether a text of a schema can be a part of the source. Only the text of the whole schema was escaped.
fn is_plain(text: &str) -> bool {
    escaped(text) == text
}

#[cfg(test)]
mod tests {
    use super::Json;

    fn of(schema: &str) -> String {
        format!("{:?}", Json::of(Some(schema)))
    }

    #[test]
    fn simple_schema_is_a_type() {
        for (schema, ty) in [
            (r#"{"type":["string","null"]}"#, "OneOf([Text, Null])"),
            (r##"{"$ref":"#/$defs/N","$defs":{"N":{"type":"integer"}}}"##, "Int"),
            (r#"{"type":"array","items":{"enum":["a","b"]}}"#, "List(Words([\"a\", \"b\"]))"),
            (r#"{"oneOf":[{"const":"a","type":"string"},{"const":"b"}]}"#, r#"Words(["a", "b"])"#),
            (r#"{"type":"object","additionalProperties":{"type":"number"}}"#, "Map(Number)"),
            (
                r#"{"type":"object","properties":{"n":{"type":"boolean"}},"required":["n"]}"#,
                "Object([Property { name: \"n\", is_required: true, of: Bool }])",
            ),
        ] {
            assert_eq!(of(schema), ty, "{schema}");
        }
    }

    #[test]
    fn other_schema_is_any_value() {
        for schema in [
            "true",
            "no",
            r#"{"type":"object","properties":{},"oneOf":[]}"#,
            r#"{"enum":[1]}"#,
            "{\"enum\":[\"a\\u000ab\"]}",
            "{\"type\":\"object\",\"properties\":{\"\\u000a\":true}}",
            r##"{"$ref":"#/no"}"##,
            r##"{"$ref":"#"}"##,
        ] {
            assert_eq!(of(schema), "Any", "{schema}");
        }
        assert_eq!(Json::of(None), Json::Any);
        let list: Vec<_> = (0..9)
            .map(|n| {
                let next = format!(r##"{{"$ref":"#/$defs/{}"}}"##, n + 1);
                format!(r#""{n}":{{"type":"object","properties":{{"a":{next},"b":{next},"c":{next},"d":{next}}}}}"#)
            })
            .collect();
        let schema = format!(r##"{{"$ref":"#/$defs/0","$defs":{{{}}}}}"##, list.join(","));
        assert!(of(&schema).len() < 50_000);
    }
}
