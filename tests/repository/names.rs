//! Compares the code that the macro crate and the runtime crate both have: the reserved names, and the
//! parser of rules.

use std::collections::BTreeSet;
use std::path::Path;

use dockipc::{Error, Server};

/// Reads a file of the workspace.
fn source(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    std::fs::read_to_string(root.join(path)).unwrap()
}

/// Returns the words between quotes of this kind.
fn quoted(text: &str, quote: char) -> BTreeSet<String> {
    text.split(quote).skip(1).step_by(2).map(str::to_owned).collect()
}

/// Returns the text between `start` and `end`.
fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    let (_, rest) = text.split_once(start).expect(start);
    rest.split_once(end).expect(end).0
}

fn reserved(path: &str) -> BTreeSet<String> {
    quoted(between(&source(path), "const RESERVED: &[&str] = &[", "];"), '"')
}

#[test]
fn reserved_names_agree() {
    let runtime = reserved("dockipc/src/commands/name.rs");
    assert!(runtime.contains("hello") && runtime.contains("subscribe"), "{runtime:?}");
    assert_eq!(reserved("dockipc-macros/src/validate/command.rs"), runtime);
    let docs = source("dockipc-macros/src/lib.rs");
    assert_eq!(
        quoted(between(&docs, "Names that the protocol uses are reserved:", ".\n"), '`'),
        runtime
    );
}

#[test]
fn no_handler_takes_a_reserved_name() {
    for name in reserved("dockipc/src/commands/name.rs") {
        let error = Server::new().handle(&*name, |_| ()).spawn_in_process().map(drop).unwrap_err();
        assert!(matches!(error, Error::BadName { .. }), "{error}");
    }
}

#[test]
fn macros_and_runtime_parse_the_same_rules() {
    for (begin, end, expected) in [
        ("    let is_separator", "let at", "is_quoted"),
        ("    match word {", "\n}\n", "owner"),
        ("fn is_plain(", "\n}\n", "b'_'"),
    ] {
        let body = |path: &str| between(&source(path), begin, end).to_owned();
        let runtime = body("dockipc/src/rule.rs");
        assert!(runtime.contains(expected), "{runtime}");
        assert_eq!(body("dockipc-macros/src/rule.rs"), runtime);
    }
}
