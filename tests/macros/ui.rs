//! Compile errors: each file in `ui` has one kind of mistake, and a snapshot of the message and of
//! the token that it points at.
//!
//! The compiler writes the text around the messages, so the snapshots belong to Rust 1.95. After a
//! change run `TRYBUILD=overwrite cargo ui`, which has all features, and read the new snapshots.

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
    let (root, place) = (tests::example::root(), tests::Place::new());
    let package = format!(
        "[package]\nname = 'mistakes'\nedition = '2024'\n[workspace]\n[dependencies]\ndockipc.path = {:?}\n[lib]\npath = 'lib.rs'\n",
        root.join("dockipc"),
    );
    let module = |name| {
        format!(
            "#[path = {:?}]\nmod {name};\n",
            root.join("tests/ui").join(name).with_extension("rs")
        )
    };
    let directory = place.directory();
    std::fs::write(directory.join("Cargo.toml"), package).unwrap();
    std::fs::write(directory.join("lib.rs"), FILES.map(module).concat()).unwrap();
    std::fs::copy(root.join("Cargo.lock"), directory.join("Cargo.lock")).unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = std::process::Command::new(cargo)
        .args(["check", "--offline", "--message-format=json"])
        .current_dir(directory)
        .env("CARGO_TARGET_DIR", root.join("target/tests/mistakes"))
        .output()
        .unwrap();
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
    let all = mistakes.len();
    mistakes.sort();
    mistakes.dedup();
    assert_eq!(mistakes.len(), all, "{mistakes:#?}");
}
