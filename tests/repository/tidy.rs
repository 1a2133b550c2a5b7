//! Checks that facts which stand in two places agree.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    // Read at run time, since checkouts may share a target directory.
    let here = std::env::current_dir().expect("the directory that cargo starts a test in");
    here.parent().expect("the workspace's directory").to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Returns the names of the files in a directory with this ending, without the ending.
fn files(directory: &str, ending: &str) -> BTreeSet<String> {
    let entries = root().join(directory).read_dir().expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names = names.filter_map(|name| Some(name.to_str()?.strip_suffix(ending)?.to_owned()));
    names.collect()
}

/// Returns the quoted value of each line that begins with `key =`.
fn values<'t>(toml: &'t str, key: &str) -> Vec<&'t str> {
    let after = |line: &'t str| line.strip_prefix(key)?.trim_start().strip_prefix('=');
    toml.lines().filter_map(after).filter_map(|value| value.split('"').nth(1)).collect()
}

/// Returns the lines of the README's code blocks in this language.
fn fenced<'t>(readme: &'t str, language: &str) -> Vec<&'t str> {
    let mut parts = readme.split("\n```");
    parts.next();
    // Parts alternate between a block and the text after it.
    let blocks =
        parts.step_by(2).filter_map(|part| part.strip_prefix(language)?.strip_prefix('\n'));
    blocks.flat_map(str::lines).collect()
}

#[test]
fn versions_agree() {
    let manifest = read("Cargo.toml");
    let [version] = values(&manifest, "version")[..] else { panic!("one version: {manifest}") };

    let pinned = manifest.lines().filter(|line| line.contains("path = \""));
    for line in pinned.clone() {
        let pin = format!("version = \"={version}\"");
        assert!(line.contains(&pin), "{line}: the crates go together, {pin}");
    }
    assert_eq!(pinned.count(), 2, "the library and its macros");

    let changelog = read("CHANGELOG.md");
    let newest = changelog.lines().find_map(|line| line.strip_prefix("## ["));
    let newest = newest.and_then(|line| line.split(']').next());
    assert_eq!(newest, Some(version), "the newest entry of CHANGELOG.md");

    let rust = values(&manifest, "rust-version")[0];
    assert!(read("README.md").contains(&format!("Rust {rust}")), "the README says Rust {rust}");
}

#[test]
fn every_test_file_and_example_is_built() {
    let manifest = read("examples/Cargo.toml");
    let mut named = BTreeSet::new();
    for part in manifest.split("[[example]]").skip(1) {
        let [name, path] = ["name", "path"].map(|key| values(part, key)[0]);
        assert_eq!(path, format!("{name}.rs"), "in examples/Cargo.toml");
        named.insert(name.to_owned());
    }
    assert_eq!(files("examples", ".rs"), named, "files and [[example]] in examples");

    // A subject is a folder, and a module of one or more programs.
    let mut built = BTreeSet::new();
    for program in files("tests/tests", ".rs") {
        let text = read(&format!("tests/tests/{program}.rs"));
        let mut subject = "";
        let lines = text.lines().map(|line| line.trim_start().trim_start_matches("pub "));
        for module in lines.filter_map(|line| line.strip_prefix("mod ")) {
            if let Some(name) = module.strip_suffix(" {") {
                subject = name;
            } else {
                let file = format!("{subject}/{}", module.trim_end_matches(';'));
                assert!(built.insert(file), "{subject}: {module} is in two programs");
            }
        }
    }
    let mut there = files("tests", ".rs");
    for folder in files("tests", "") {
        let others = ["bin", "peers", "plugin", "renamed", "support", "tests", "ui"];
        if root().join("tests").join(&folder).is_dir() && !others.contains(&&*folder) {
            let names = files(&format!("tests/{folder}"), ".rs");
            there.extend(names.into_iter().map(|name| format!("{folder}/{name}")));
        }
    }
    assert_eq!(there, built, "files in the folders, and modules of the programs in tests/tests");
}

#[test]
fn readme_commands_exist() {
    let readme = read("README.md");
    let commands = fenced(&readme, "sh");
    let test = "cargo test --workspace --all-features";
    assert_eq!(commands, ["cargo run --example notes", test]);

    let examples = files("examples", ".rs");
    let run = |line: &str| {
        let rest = line.strip_prefix("$ ")?.split_once("--example ")?.1;
        rest.split(' ').next().map(str::to_owned)
    };
    let shown: Vec<_> = fenced(&readme, "console").into_iter().filter_map(run).collect();
    assert!(!shown.is_empty());
    assert!(shown.iter().all(|name| examples.contains(name)), "{shown:?}");
    for name in examples {
        assert!(readme.contains(&format!("/examples/{name}.rs)")), "the README names {name}");
    }
}

#[test]
fn document_links_lead_somewhere() {
    let manifest = read("Cargo.toml");
    let repository = values(&manifest, "repository")[0];
    let pages = ["", "docs/", "benches/"].into_iter().flat_map(|directory| {
        let names = files(if directory.is_empty() { "." } else { directory }, ".md");
        names.into_iter().map(move |name| (directory, format!("{directory}{name}.md")))
    });
    let mut seen = 0;
    for (directory, page) in pages {
        let text = read(&page);
        let inline = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let below = text.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]: "));
        for link in inline.chain(below.map(|(_, link)| link)) {
            seen += 1;
            let ours = link.strip_prefix(repository).map(|rest| {
                // Files have pages there; a registry shows a picture only from its raw bytes.
                let kind = if link.ends_with("svg") { "/raw/main/" } else { "/blob/main/" };
                let path = rest.strip_prefix(kind);
                path.unwrap_or_else(|| panic!("{page}: {link}: not a path under {kind}")).to_owned()
            });
            // The registry shows README.md without the files beside it.
            let is_relative = !link.contains("://") && !link.starts_with('#');
            assert!(!is_relative || page != "README.md", "{page}: {link} needs {repository}");
            let beside = is_relative.then(|| format!("{directory}{link}"));
            let path = ours.or(beside).unwrap_or_default();
            assert!(root().join(path.split('#').next().unwrap()).exists(), "{page}: {link}");
        }
    }
    assert!(seen > 50, "only {seen} links");
}

#[test]
fn manifests_describe_their_package() {
    let (manifest, page) = (read("Cargo.toml"), read("SECURITY.md"));
    let repository = values(&manifest, "repository")[0];
    let report = format!("{repository}/security/advisories/new");
    assert!(page.contains(&report), "SECURITY.md names {report}");

    for package in ["dockipc", "dockipc-macros"] {
        let manifest = read(&format!("{package}/Cargo.toml"));
        for key in ["description", "keywords", "categories", "documentation"] {
            assert_eq!(values(&manifest, key).len(), 1, "{package}: {key}");
        }
        for key in ["version", "rust-version", "license", "repository", "homepage"] {
            assert!(manifest.contains(&format!("\n{key}.workspace = true\n")), "{package}: {key}");
        }
        for license in ["LICENSE-APACHE", "LICENSE-MIT"] {
            assert_eq!(read(&format!("{package}/{license}")), read(license), "{package}");
        }
    }
}

#[test]
fn tests_named_in_security_page_exist() {
    let page = read("SECURITY.md");
    let rows = page.lines().filter_map(|line| line.strip_suffix('|')?.rsplit('|').next());
    let (mut file, mut seen) = (String::new(), 0);
    for quoted in rows.flat_map(|last| last.split('`').skip(1).step_by(2)) {
        if quoted.starts_with("tests/") || quoted.starts_with("dockipc/") {
            file = read(quoted);
        } else if quoted.contains('_') {
            assert!(file.contains(&format!("fn {quoted}()")), "{quoted}");
            seen += 1;
        }
    }
    assert!(seen > 15, "only {seen} tests");
}

#[test]
fn every_compile_error_has_its_message() {
    let (cases, messages) = (files("tests/ui", ".rs"), files("tests/ui", ".stderr"));
    assert!(!cases.is_empty());
    assert_eq!(cases, messages);
}

#[test]
fn no_file_names_a_local_path() {
    // Assembled, so that this file does not contain them.
    let mut places: Vec<String> = ["home", "root", "Users"].map(|name| format!("/{name}/")).into();
    places.push(root().display().to_string());
    let mut seen = 0;
    for path in texts(&root()) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        seen += 1;
        for place in &places {
            // After a name the match is part of a longer, relative path.
            let alone = |(at, _): &(usize, &str)| {
                !text[..*at].ends_with(|c: char| c.is_alphanumeric() || "._-}".contains(c))
            };
            let found = text.match_indices(place.as_str()).find(alone);
            assert!(found.is_none(), "{}: {place}", path.display());
        }
    }
    assert!(seen > 30, "only {seen} files were looked at");
}

/// Returns all files except those of git and build tools.
fn texts(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in directory.read_dir().expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_symlink() || [".git", "target", "node_modules"].contains(&name) {
            continue;
        }
        if path.is_dir() {
            files.extend(texts(&path));
        } else {
            files.push(path);
        }
    }
    files
}
