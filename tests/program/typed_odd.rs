//! Commands whose names and texts could be taken for code of the typed clients, or for names that these have themselves.

use std::collections::BTreeMap;

use dockipc::{Body, DescribedJson, Failure, Reply, command};

/// A name of the module for TypeScript.
#[derive(Reply, Clone)]
struct Entries {
    sizes: BTreeMap<String, Vec<(u8, Option<String>)>>,
}

#[derive(Reply, Clone)]
struct ReturnType {}

/// A name of Rust that a trait refers to.
#[derive(Reply, Clone)]
#[dockipc(table)]
struct Iterator {
    /// */ " \ \" """ ''' >>> ${x} @ts-expect-error // # type: x r#" ]]>
    #[dockipc(name = "a@b")]
    at: u8,
    #[doc = "\u{2028}*/\nevil();\r\n```\nevil();\n```\0"]
    #[dockipc(name = "\"'`${x}")]
    quotes: Option<String>,
}

#[derive(Reply, Clone)]
enum Unpin {
    /// */ \ \" """ >>> @ts-expect-error
    Only {
        /// */ \ \" """ >>> @ts-expect-error
        #[dockipc(name = "c@d*/")]
        at: u8,
    },
}

#[derive(Reply, Clone)]
enum Sole {
    /// */ \ \" """ >>> @ts-expect-error
    Word,
}

/// Answer with odd types.
#[command("odd types")]
fn types() -> (Vec<Entries>, ReturnType, Sole) {
    let sizes = BTreeMap::from([("k".into(), vec![(1, None), (2, Some("x".into()))])]);
    (vec![Entries { sizes }], ReturnType {}, Sole::Word)
}

/// Take what is no code: `"""`, `*/`, `\\`, `${x}`, `{x}`, `>>> x`.
///
/// ''' """ \ \" \u0041 \N{DIGIT ONE} /* */ // # r#" ]]> ` ```
/// >>> evil()
#[allow(clippy::doc_markdown, reason = "an open backtick is part of the test")]
#[command("odd iterators", deprecated = "use \"\"\" or */ or \\")]
fn iterators(
    /// `"""` and */ and \
    iterators: Body<Iterator>,
) -> Result<Vec<Iterator>, Failure> {
    iterators.collect()
}

#[command("odd variants")]
fn variants(variants: Body<Unpin>) -> Result<Vec<Unpin>, Failure> {
    variants.collect()
}

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
struct Partial {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

#[command("odd defaults")]
fn defaults(
    partial: DescribedJson<Partial>,
    #[arg(default = "it's \"x\" \\ */")] text: String,
    #[arg(long)] import: u8,
) -> (DescribedJson<Partial>, String, u8) {
    (partial, text, import)
}
