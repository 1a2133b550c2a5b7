//! Compile errors: each file in `ui` has one kind of mistake, and a snapshot of the message and of
//! the token that it points at.
//!
//! The compiler writes the text around the messages, so the snapshots belong to Rust 1.95. After a
//! change run `TRYBUILD=overwrite cargo ui`, which has all features, and read the new snapshots.

use tests::package::Package;

/// The version of the compiler that wrote the snapshots.
const VERSION: &str = "rustc 1.95.";

#[test]
fn every_mistake_is_explained_at_its_own_token() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = std::process::Command::new(rustc).arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    if !version.starts_with(VERSION) {
        println!("skipped: the snapshots need {VERSION}, found {version}");
        return;
    }
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}

/// The snapshots show an error once that the compiler reports twice.
#[test]
fn each_mistake_is_counted_once() {
    const FILES: [&str; 6] = [
        "answer_is_impl",
        "default_of_no_arg",
        "secret",
        "unsupported_answer",
        "unsupported_state",
        "unsupported_type",
    ];
    let ui = tests::example::root().join("tests/ui");
    let module =
        |name| format!("#[path = {:?}]\nmod {name};\n", ui.join(name).with_extension("rs"));
    let pattern = "#[dockipc::command]\nfn user(#[arg(pattern = \"a\")] _name: &str) {}\n";
    let main = FILES.map(module).concat() + pattern + "fn main() {}\n";
    let output = Package::new("mistakes", "", &main).cargo(&["check", "--message-format=json"]);
    let mut mistakes = Vec::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let (message, span) = (&line["message"], &line["message"]["spans"][0]);
        if message["level"] == "error" && span.is_object() {
            let at = [&span["file_name"], &span["line_start"], &message["message"]];
            mistakes.push(at.map(ToString::to_string));
        }
    }
    assert!(mistakes.len() > 10, "{}", String::from_utf8_lossy(&output.stderr));
    let needs_feature = |[.., message]: &&[String; 3]| message.contains("the feature `pattern`");
    assert!(mistakes.iter().any(|mistake| needs_feature(&mistake)), "{mistakes:#?}");
    let all = mistakes.len();
    mistakes.sort();
    mistakes.dedup();
    assert_eq!(mistakes.len(), all, "{mistakes:#?}");
}
