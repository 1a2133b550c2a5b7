//! The examples of the workspace, as built programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Returns the root of the workspace.
pub fn root() -> PathBuf {
    // Not CARGO_MANIFEST_DIR: checkouts may share a target directory.
    let here = std::env::current_dir().expect("the directory that cargo starts a test in");
    here.parent().expect("the workspace's directory").to_owned()
}

/// Returns the path of a built example. Builds the examples unless `cargo test --workspace` has.
pub fn example(name: &str) -> PathBuf {
    built(&Path::new("examples").join(name))
}

/// Returns the path of a program of the packages in `examples`.
pub fn program(name: &str) -> PathBuf {
    built(Path::new(name))
}

fn built(program: &Path) -> PathBuf {
    static BUILDING: Mutex<()> = Mutex::new(());
    // target/<profile>/deps/<this test>
    let this = std::env::current_exe().expect("this test's path");
    let profile = this.ancestors().nth(2).expect("the profile's directory");
    let binary = profile.join(program);
    let building = BUILDING.lock();
    if !is_fresh(&binary) {
        build(profile);
    }
    drop(building);
    assert!(binary.exists(), "{} is not built", binary.display());
    binary
}

/// Returns whether the binary is newer than the sources in cargo's dep-info file.
fn is_fresh(binary: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    let Ok(sources) = fs::read_to_string(binary.with_extension("d")) else { return false };
    let mut sources = sources.split_whitespace().skip(1).map(Path::new);
    modified(binary).is_some_and(|built| sources.all(|source| modified(source) <= Some(built)))
}

fn build(profile: &Path) {
    let name = match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Not the whole workspace: that would put programs of these tests, with other features, in the place of theirs.
    cargo.args(["build", "-p", "examples", "-p", "queue-client", "-p", "queue-daemon"]);
    cargo.args(["--examples", "--bins", "--profile", name]);
    if cfg!(feature = "cli") {
        cargo.args(["--features", "examples/cli,queue-client/cli"]);
    }
    if cfg!(feature = "tokio") {
        cargo.args(["--features", "examples/tokio"]);
    }
    if cfg!(feature = "glib") {
        cargo.args(["--features", "examples/glib"]);
    }
    cargo.arg("--target-dir");
    cargo.arg(profile.parent().expect("the target directory")).current_dir(root());
    assert!(cargo.status().expect("cargo").success(), "the examples do not build");
}
