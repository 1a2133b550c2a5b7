//! The subcommands `list`, `ping`, `schema` and `man`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use dockipc::{Server, command};
use serde_json::json;
use tests::ctl::{self, Ran, dockipc, run};
use tests::{Daemon, Place, leave_socket};

/// Add.
#[command("add", alias = "plus")]
fn add(n: u64, #[arg(long, default = 1)] times: u64) -> u64 {
    n * times
}

/// Not listed.
#[command("unlisted", alias = "not-listed", hidden)]
fn unlisted() {}

/// Allowed for nobody.
#[command("closed", allow = "uid:4294967294")]
fn closed() {}

fn daemon() -> Daemon {
    Daemon::start(Server::new())
}

#[test]
fn daemons_below_a_directory_are_listed() {
    let (place, daemon) = (Place::new(), daemon());
    let directory = place.directory().join("one/two");
    fs::create_dir_all(&directory).unwrap();
    let deep = Server::new().mode(0o600).spawn(directory.join("deep.sock")).unwrap();
    // Not daemons: a socket that never answers, a stale socket, and a file.
    let _silent = UnixListener::bind(place.directory().join("silent")).unwrap();
    leave_socket(place.directory().join("stale"));
    fs::write(place.directory().join("file"), "").unwrap();
    let list = |words: &[&str]| {
        let runtime = place.directory();
        run(ctl::command(&ctl::path()).env("XDG_RUNTIME_DIR", runtime).arg("list").args(words), b"")
    };
    let fields = |ran: &Ran| -> Vec<Vec<String>> {
        assert_eq!((ran.code, &*ran.err), (Some(0), ""));
        let text = ran.text();
        let lines =
            text.lines().filter(|line| line.starts_with(place.directory().to_str().unwrap()));
        lines.map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    };
    let owner = fields(&list(&[]));
    let pid = std::process::id().to_string();
    let version = env!("CARGO_PKG_VERSION");
    let path = directory.join("deep.sock").display().to_string();
    assert_eq!(owner.len(), 1, "{owner:?}");
    assert_eq!(owner[0][0], path);
    assert_eq!(owner[0][2..], ["0600", &*pid, "5", version]);
    // A daemon's bare name without `call` is an unknown subcommand.
    let mut command = ctl::command(&ctl::path());
    let named = run(command.env("XDG_RUNTIME_DIR", &directory).args(["deep", "ping"]), b"");
    assert!(named.err.contains("to call the daemon there, write `call deep NAME`"), "{named:?}");
    let all = fields(&list(&["--all"]));
    let names: Vec<_> = all.iter().map(|line| Path::new(&line[0]).file_name().unwrap()).collect();
    assert_eq!(names, ["deep.sock", "silent", "stale"]);
    assert!(all[1][5].contains("timed out after 500ms"), "{all:?}");
    assert!(all[2][5].contains("stale socket"), "{all:?}");
    let json = list(&["--json", daemon.path().parent().unwrap().to_str().unwrap()]);
    let json: serde_json::Value = serde_json::from_slice(&json.out).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 1);
    assert_eq!((&json[0]["mode"], &json[0]["commands"]), (&"0666".into(), &5.into()));
    assert_eq!(json[0]["path"], daemon.path().display().to_string());
    deep.shutdown();
    let none = list(&[directory.to_str().unwrap()]);
    assert_eq!((none.code, &*none.text()), (Some(0), ""));
    assert_eq!(none.err, format!("test-dockipc: no daemon in {}\n", directory.display()));
}

#[test]
fn ping_reports_times_and_percentiles() {
    let daemon = daemon();
    let path = daemon.path();
    let ran = dockipc(["ping", "-c", "5", "-i", "0s", path.to_str().unwrap()]);
    assert_eq!((ran.code, &*ran.err), (Some(0), ""));
    let text = ran.text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 6, "{lines:?}");
    assert!(lines[0].starts_with("s\t1\t") && lines[0].contains(" µs") | lines[0].contains(" ms"));
    for part in ["5 answered: min ", ", median ", ", p99 ", ", max "] {
        assert!(lines[5].contains(part), "{lines:?}");
    }
    let line = format!("{} ping -c 2 -i 0s {}", ctl::path().display(), path.display());
    let ran = run(ctl::command("script".as_ref()).args(["-qec", &line, "/dev/null"]), b"");
    assert!(ran.text().contains('█'), "a terminal gets bars: {ran:?}");
    assert_eq!(dockipc(["ping", "/nowhere.sock"]).code, Some(3));
}

#[test]
fn schema_is_printed_and_compared() {
    let (daemon, place) = (daemon(), Place::new());
    let path = daemon.path();
    let path = path.to_str().unwrap();
    let printed = dockipc(["schema", path]);
    assert_eq!((printed.code, &*printed.err), (Some(0), ""));
    assert_eq!(dockipc(["schema", path]), printed, "the order is stable");
    let json: serde_json::Value = serde_json::from_slice(&printed.out).unwrap();
    let names: Vec<_> = json["commands"].as_array().unwrap().iter().map(|c| &c["name"]).collect();
    assert_eq!(names, ["add"], "without built-in commands and those that the caller may not run");
    assert_eq!(json["commands"][0]["arguments"][1]["default"], "1");
    let u64 = json!({ "type": "int", "min": "0", "max": "18446744073709551615" });
    assert_eq!(json["commands"][0]["answer"], u64);
    assert_eq!(json["commands"][0]["arguments"][0]["max"], u64["max"]);
    let check = |text: &str| {
        let file = place.directory().join("old.json");
        fs::write(&file, text).unwrap();
        dockipc(["schema", "--check", file.to_str().unwrap(), path])
    };
    let ran = check(&printed.text());
    assert_eq!((ran.code, &*ran.text()), (Some(0), ""));
    let old = printed.text().replace("--times", "--often").replace("\"plus\"", "\"sum\"");
    let ran = check(&old);
    assert_eq!(ran.code, Some(1));
    assert_eq!(ran.text(), "add: alias sum removed\nadd: --often removed\n");
    let ran = check(&printed.text().replace("\"0\"", "\"-1\""));
    let narrowed = "now accepts only 0 to 18446744073709551615, not -1 to 18446744073709551615";
    assert_eq!(ran.text(), format!("add: <n> {narrowed}\nadd: --times {narrowed}\n"));
    let ran = check("{}");
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("not the output of `schema`"), "{ran:?}");
    assert_eq!(dockipc(["schema", "--check", "/nowhere.json", path]).code, Some(2));
}

#[test]
fn hidden_command_is_no_removed_command() {
    let (daemon, place) = (daemon(), Place::new());
    let path = daemon.path();
    let path = path.to_str().unwrap();
    let mut schema: serde_json::Value =
        serde_json::from_slice(&dockipc(["schema", path]).out).unwrap();
    let mut add = schema["commands"][0].take();
    add["aliases"] = json!(["not-listed"]);
    add["name"] = json!("unlisted");
    add["arguments"] = json!([]);
    add["answer"] = json!({ "type": "nothing" });
    schema["commands"][0] = add;
    let file = place.directory().join("old.json");
    fs::write(&file, schema.to_string()).unwrap();
    let ran = dockipc(["schema", "--check", file.to_str().unwrap(), path]);
    assert_eq!((ran.code, &*ran.text(), &*ran.err), (Some(0), "", ""));
}

#[test]
fn schema_check_says_that_the_caller_is_another() {
    let place = Place::new();
    let token = place.directory().join("token");
    fs::write(&token, "a secret of at least sixteen bytes").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let daemon = Daemon::start(Server::new().token_file(&token).allow("add", "token"));
    let path = daemon.path();
    let path = path.to_str().unwrap();
    let file = place.directory().join("old.json");
    let run_schema = |words: &[&str], with_token: bool| {
        let mut command = ctl::command(&ctl::path());
        if with_token {
            command.args(["--token-file".as_ref(), token.as_os_str()]);
        }
        run(command.arg("schema").args(words).arg(path), b"")
    };
    fs::write(&file, run_schema(&[], true).out).unwrap();
    let check = ["--check", file.to_str().unwrap()];
    let ran = run_schema(&check, true);
    assert_eq!((ran.code, &*ran.text(), &*ran.err), (Some(0), "", ""));
    let ran = run_schema(&check, false);
    assert_eq!((ran.code, &*ran.text()), (Some(1), "add: command removed\n"));
    let uid = rustix::process::getuid();
    let caller = format!("uid {uid} (the daemon's owner)");
    let sentence = format!(
        "the saved schema is for {caller} with a token, this one for {caller} without a token: \
         commands for only one of them count as changed\n"
    );
    assert_eq!(ran.err, sentence);
    let mut other: serde_json::Value = serde_json::from_slice(&run_schema(&[], true).out).unwrap();
    other["caller"]["uid"] = 77.into();
    other["caller"]["owner"] = false.into();
    fs::write(&file, other.to_string()).unwrap();
    let ran = run_schema(&check, true);
    assert_eq!((ran.code, &*ran.text()), (Some(0), ""));
    assert!(ran.err.starts_with("the saved schema is for uid 77 with a token, "), "{ran:?}");
}

#[test]
fn manual_pages_are_written() {
    let place = Place::new();
    let page = dockipc(["man"]).text();
    assert!(page.contains(".TH dockipc 1"), "{page}");
    let directory = place.directory().join("man");
    assert_eq!(dockipc(["man", directory.to_str().unwrap()]).code, Some(0));
    let pages = tests::process::names_in(&directory);
    for name in ["dockipc.1", "dockipc-call.1", "dockipc-schema.1"] {
        assert!(pages.iter().any(|page| page == name), "{pages:?}");
    }
    for name in &pages {
        let page = fs::read_to_string(directory.join(name)).unwrap();
        for section in [
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "EXIT STATUS",
            "ENVIRONMENT",
            "EXAMPLES",
            "SEE ALSO",
        ] {
            let text = page.split(&format!("\n.SH {section}\n")).nth(1);
            assert!(
                text.is_some_and(|text| !text.starts_with(".SH")),
                "{name:?}: {section}: {page}"
            );
        }
        assert!(page.contains("[\\fB\\-\\-timeout\\fR \\fITIME\\fR]"), "{name:?}: {page}");
        assert!(!page.contains("__complete"), "{name:?}: {page}");
    }
    assert_eq!(fs::read_to_string(directory.join("dockipc.1")).unwrap(), page);
    let own = run(
        ctl::command(&ctl::named(&place, "hitctl")).env("TEST_SOCKET", "/nowhere").arg("man"),
        b"",
    );
    assert!(own.text().contains("hitctl call add 2"), "{own:?}");
    assert!(!own.text().contains("hitd") && !own.text().contains("DOCKIPC_SOCKET"), "{own:?}");
}
