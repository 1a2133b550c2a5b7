//! Third-party programs that tests run if they are installed; see `tests/wire/peers.rs`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Runs a program to its end with this input.
pub fn run(command: &mut Command, input: &[u8]) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program to start");
    let mut stdin = child.stdin.take().expect("its input");
    std::thread::scope(|scope| {
        // A program may end without reading its whole input.
        scope.spawn(move || {
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().expect("its output")
    })
}

/// Runs a program that must succeed, and returns its output.
#[track_caller]
pub fn output(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let output = run(command, input);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}\n{}",
        output.status,
        output.stdout.escape_ascii(),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Like [`output`], as text.
#[track_caller]
pub fn text(command: &mut Command, input: &[u8]) -> String {
    String::from_utf8(output(command, input)).expect("text")
}

/// Returns whether a program is not installed, so that its test must be skipped.
#[track_caller]
pub fn lacks(program: &str) -> bool {
    let paths = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&paths).any(|path| path.join(program).is_file());
    if !found {
        skip(program);
    }
    !found
}

/// Returns whether a program or a library for it is not installed, so that its test must be skipped: the
/// command must succeed where both are there.
#[track_caller]
pub fn lacks_library(command: &[&str]) -> bool {
    if lacks(command[0]) {
        return true;
    }
    let found = run(Command::new(command[0]).args(&command[1..]), b"").status.success();
    if !found {
        skip(&command.join(" "));
    }
    !found
}

/// Debian's Go packages.
const GO_PACKAGES: &str = "/usr/share/gocode";

/// Returns whether Go or its client, redigo, is not installed, so that its test must be skipped.
#[track_caller]
pub fn lacks_go() -> bool {
    let redigo = Path::new(GO_PACKAGES).join("src/github.com/gomodule/redigo");
    let is_missing = lacks("go") || !redigo.exists();
    if is_missing {
        skip("redigo");
    }
    is_missing
}

/// Returns the variables by which `go run` finds Debian's packages, and a cache.
pub fn go_packages() -> [(&'static str, OsString); 3] {
    let cache = env::var_os("DOCKIPC_PEERS_DIR").map_or_else(env::temp_dir, PathBuf::from);
    let cache = cache.join("go-cache").into_os_string();
    [("GO111MODULE", "off".into()), ("GOPATH", GO_PACKAGES.into()), ("GOCACHE", cache)]
}

/// Returns the path of a file in `$DOCKIPC_PEERS_DIR`, if it is there.
#[track_caller]
pub fn installed(file: &str) -> Option<PathBuf> {
    let path = env::var_os("DOCKIPC_PEERS_DIR").map(|root| PathBuf::from(root).join(file));
    let path = path.filter(|path| path.exists());
    if path.is_none() {
        skip(file);
    }
    path
}

/// Reports that a peer is not installed; a failure with `DOCKIPC_REQUIRE_PEERS` set.
#[track_caller]
pub fn skip(peer: &str) {
    let what = format!("skipped: {peer} is not installed");
    println!("{what}");
    assert!(env::var_os("DOCKIPC_REQUIRE_PEERS").is_none(), "{what}");
}

/// Returns the paths of the installed versions of a client for `python` or `node`.
#[track_caller]
pub fn versions(language: &str, client: &str) -> Vec<PathBuf> {
    let root = env::var_os("DOCKIPC_PEERS_DIR").map(PathBuf::from);
    let entries = root.and_then(|root| root.join(language).read_dir().ok());
    let paths = entries.into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let is_client = |path: &PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let version = name.strip_prefix(client).and_then(|rest| rest.strip_prefix('-'));
        version.is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
    };
    let mut found: Vec<_> = paths.filter(is_client).collect();
    found.sort();
    if found.is_empty() {
        skip(&format!("{client} for {language}"));
    }
    found
}
