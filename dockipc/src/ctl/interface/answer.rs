//! [`Answer`], the type of a command's answer.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The type of an answer, or of a value in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Answer {
    #[serde(flatten)]
    pub(in super::super) ty: Type,
    /// The name of the form of a text, such as `duration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in super::super) form: Option<String>,
    /// Whether an enum or a union may have other words and variants in another version.
    #[serde(rename = "other", default, skip_serializing_if = "std::ops::Not::not")]
    pub(in super::super) is_open: bool,
    /// Whether a list of the struct is a table in line mode.
    #[serde(rename = "table", default, skip_serializing_if = "std::ops::Not::not")]
    pub(in super::super) is_table: bool,
}

/// A type without its form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(in super::super) enum Type {
    Nothing,
    Bool,
    Int {
        min: String,
        max: String,
    },
    Float,
    Text,
    Bytes,
    /// A value that may be missing.
    Optional {
        of: Box<Answer>,
    },
    List {
        of: Box<Answer>,
    },
    Set {
        of: Box<Answer>,
    },
    Stream {
        of: Box<Answer>,
    },
    Map {
        key: Box<Answer>,
        of: Box<Answer>,
    },
    Row {
        columns: Vec<Answer>,
    },
    Struct {
        /// The name; none for the fields of a variant.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        name: String,
        /// The fields; none for a struct within itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fields: Option<Vec<Field>>,
    },
    Enum {
        name: String,
        words: Vec<String>,
        /// The words with texts about some of them; none if there are no texts.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        variants: Vec<Variant>,
    },
    Json {
        /// The JSON Schema of the value, as text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        schema: Option<String>,
    },
    /// An enum of which some variants have a value.
    Union {
        name: String,
        /// The variants; none for a union within itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        variants: Option<Vec<Variant>>,
    },
    /// A type that the daemon does not know, or that only newer daemons know.
    #[serde(other)]
    Unknown,
}

/// A field of a struct.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Field {
    pub(in super::super) name: String,
    pub(in super::super) of: Answer,
    /// The text about the field, in one line, which older daemons do not describe.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(in super::super) help: String,
}

/// A variant of a union.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Variant {
    pub(in super::super) name: String,
    /// The type of its value, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in super::super) of: Option<Answer>,
    /// The text about the variant, in one line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(in super::super) help: String,
}

impl Answer {
    /// Returns the type of a value that may be missing.
    pub(in super::super) fn or_missing(&self) -> &Self {
        match &self.ty {
            Type::Optional { of } => of.or_missing(),
            _ => self,
        }
    }
}

/// The type as messages name it.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.form {
            Some(form) => f.write_str(form),
            None => self.ty.fmt(f),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Bool => f.write_str("bool"),
            Self::Int { .. } => f.write_str("int"),
            Self::Float => f.write_str("float"),
            Self::Text => f.write_str("text"),
            Self::Bytes => f.write_str("bytes"),
            Self::Optional { of } => write!(f, "optional {of}"),
            Self::List { of } => match &of.ty {
                Type::Row { columns } => write!(f, "rows of {}", joined(columns)),
                _ => write!(f, "list of {of}"),
            },
            Self::Set { of } => write!(f, "set of {of}"),
            Self::Stream { of } => write!(f, "stream of {of}"),
            Self::Map { key, of } => write!(f, "map of {key} to {of}"),
            Self::Row { columns } => write!(f, "row of {}", joined(columns)),
            Self::Struct { name, .. } if name.is_empty() => f.write_str("fields"),
            Self::Struct { name, .. } | Self::Enum { name, .. } | Self::Union { name, .. } => {
                f.write_str(name)
            }
            Self::Json { .. } => f.write_str("json"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

fn joined(columns: &[Answer]) -> String {
    columns.iter().map(Answer::to_string).collect::<Vec<_>>().join(", ")
}
