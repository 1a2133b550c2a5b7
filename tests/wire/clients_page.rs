//! Runs the programs of docs/CLIENTS.md from the page's own text, against a daemon with the page's commands.

use std::fs;
use std::process::Command;

use tests::example::root;
use tests::peers::{go_packages, installed, lacks, lacks_go, lacks_library, text, versions};

use super::peers::Daemon;

/// The socket's path on the page.
const SHOWN: &str = "/run/hitd.sock";

fn page() -> String {
    fs::read_to_string(root().join("docs/CLIENTS.md")).expect("the page")
}

/// Returns the code block in this language that has this text.
fn block(language: &str, text: &str) -> String {
    let (page, fence) = (page(), format!("\n```{language}\n"));
    let blocks = page.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap());
    let block = blocks.into_iter().find(|block| block.contains(text));
    format!("{}\n", block.unwrap_or_else(|| panic!("no {language} block has {text}")))
}

/// Runs a program, which must print what the page says, and its slow command must have run once.
#[track_caller]
fn runs(language: &str, program: &str, by: impl FnOnce(&Daemon) -> Command) {
    let (daemon, directory) = (Daemon::start(), tempfile::tempdir().expect("a directory"));
    let file = directory.path().join(format!("program.{language}"));
    let program = block(language, program).replace(SHOWN, daemon.path().to_str().unwrap());
    fs::write(&file, program).expect("the program");
    assert_eq!(text(by(&daemon).arg(file), b""), block("text", "ff000d"));
    assert_eq!(daemon.slow_naps(), 1);
}

#[track_caller]
fn python(client: &str, program: &str, oldest: &str) {
    if lacks("python3") {
        return;
    }
    for version in versions("python", client).into_iter().filter(|path| !path.ends_with(oldest)) {
        runs("python", program, |daemon| {
            let mut command = daemon.program("python3");
            command.env("PYTHONPATH", version);
            command
        });
    }
}

#[track_caller]
fn node(client: &str, program: &str, oldest: &str) {
    if lacks("node") {
        return;
    }
    for version in versions("node", client).into_iter().filter(|path| !path.ends_with(oldest)) {
        runs("js", program, |daemon| {
            let mut command = daemon.program("node");
            command.env("NODE_PATH", version.join("node_modules"));
            command
        });
    }
}

#[test]
fn shell_program_prints_what_page_shows() {
    if !lacks("redis-cli") {
        runs("sh", "redis-cli", |daemon| daemon.program("sh"));
    }
}

#[test]
fn python_programs_print_what_page_shows() {
    python("redis", "redis.Redis(", "redis-4.6.0");
    python("coredis", "coredis.Redis(", "");
}

#[test]
fn node_programs_print_what_page_shows() {
    node("redis", "createClient", "redis-4.7.1");
    node("ioredis", "new Redis", "");
}

#[test]
fn go_program_prints_what_page_shows() {
    if !lacks_go() {
        runs("go", "redigo", |daemon| {
            let mut command = daemon.program("go");
            command.arg("run").envs(go_packages());
            command
        });
    }
}

#[test]
fn ruby_program_prints_what_page_shows() {
    if !lacks_library(&["ruby", "-e", "require 'redis'"]) {
        runs("ruby", "Redis.new", |daemon| daemon.program("ruby"));
    }
}

#[test]
fn php_program_prints_what_page_shows() {
    if !lacks_library(&["php", "-r", "exit(extension_loaded('redis') ? 0 : 1);"]) {
        runs("php", "new Redis", |daemon| daemon.program("php"));
    }
}

#[test]
fn rust_program_prints_what_page_shows() {
    let source = root().join("tests/peers/rust/src/bin/page.rs");
    let source = fs::read_to_string(source).expect("the source");
    assert_eq!(source, block("rust,ignore", "redis::"), "the page and page.rs");
    if let Some(program) = installed("rust/debug/page") {
        let daemon = Daemon::start();
        let printed = text(daemon.program(program).arg(daemon.path()), b"");
        assert_eq!(printed, block("text", "ff000d"));
        assert_eq!(daemon.slow_naps(), 1);
    }
}
