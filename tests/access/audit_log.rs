//! The audit file.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::SystemTime;

use dockipc::audit::JsonLines;
use dockipc::{Handle, Request, Server};
use serde_json::Value;
use tests::apart::{self, Apart};
use tests::gate::Gate;
use tests::{Place, exchange, figure, long, peers, resp, test_name};

use super::audit::{STRANGER, ask, start};

/// Reads the records of a file. Each line must be whole.
#[track_caller]
fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("a file of records");
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn written(path: &Path) -> Handle {
    let log = JsonLines::create(path).unwrap();
    start(Server::new().audit(move |record| log.write(record)))
}

#[test]
fn json_line_has_every_field() {
    let place = Place::new();
    let path = place.directory().join("audit");
    let daemon = written(&path);
    ask(&daemon, "greet --loud Ada\n");
    ask(&daemon, "erase sda 3\n");
    let text = fs::read_to_string(&path).unwrap();
    let keys = r#"{"time":_,"uid":_,"gid":_,"groups":_,"pid":_,"connection":_,"request":_,"command":_,"arguments":_,"left_out":_,"decision":_,"rule":_}"#;
    let [first, second] = &lines(&path)[..] else { panic!("{text}") };
    for (record, line) in [(first, text.lines().next()), (second, text.lines().nth(1))] {
        // The order of the fields is part of the format.
        let mut at = 0;
        for key in keys.split('"').skip(1).step_by(2) {
            let found = line.unwrap()[at..].find(&format!("\"{key}\":")).expect(key);
            at += found;
        }
        assert_eq!(record.as_object().unwrap().len(), 12);
        assert_eq!(record["uid"], rustix::process::geteuid().as_raw());
        assert_eq!(record["gid"], rustix::process::getegid().as_raw());
        assert_eq!(record["pid"], std::process::id());
        let mut groups: Vec<_> = rustix::process::getgroups().unwrap();
        groups.sort_by_key(|group| group.as_raw());
        let mut seen: Vec<_> =
            record["groups"].as_array().unwrap().iter().map(|g| g.as_u64().unwrap()).collect();
        seen.sort_unstable();
        let groups: Vec<_> = groups.into_iter().map(|group| u64::from(group.as_raw())).collect();
        assert_eq!(seen, groups);
        assert_eq!(record["left_out"], 0);
    }
    assert_eq!(first["command"], "greet");
    let arguments = r#"[{"name":"name","value":"Ada"},{"name":"loud","value":"true"}]"#;
    assert_eq!(first["arguments"], serde_json::from_str::<Value>(arguments).unwrap());
    assert_eq!((&first["decision"], &first["rule"]), (&"allowed".into(), &"any".into()));
    assert!(first["request"].is_u64());
    assert_eq!((&second["decision"], &second["rule"]), (&"denied".into(), &STRANGER.into()));
    assert!(second["request"].is_null());
    assert_ne!(first["connection"], second["connection"]);
}

#[test]
fn record_time_is_the_system_time() {
    if peers::lacks("python3") {
        return;
    }
    let place = Place::new();
    let path = place.directory().join("audit");
    let daemon = written(&path);
    let seconds =
        || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    let before = seconds();
    ask(&daemon, "greet Ada\n");
    let after = seconds();
    let program = "import json, sys, datetime\n\
        for line in open(sys.argv[1]):\n\
        \ttime = json.loads(line)['time'].replace('Z', '+00:00')\n\
        \tprint(datetime.datetime.fromisoformat(time).timestamp())";
    let text = peers::text(Command::new("python3").args(["-c", program]).arg(&path), b"");
    let time: f64 = text.trim().parse().unwrap();
    assert!(before - 0.001 < time && time < after + 0.001, "{before} {time} {after}");
}

/// Words that try to break out of their field.
fn hostile() -> Vec<Vec<u8>> {
    let mut words: Vec<Vec<u8>> = (0..=255).map(|byte| vec![b'a', byte, b'b']).collect();
    let whole = [
        "\n{\"time\":\"2026\",\"uid\":0,\"decision\":\"allowed\"}\n",
        "\"},\"uid\":0,\"x\":{\"",
        "\\\"\\",
        "\u{2028}\u{2029}\u{85}\u{b}\u{c}\u{1c}\u{1d}\u{1e}",
        "\r\n\0\x1b[2J",
        "…",
        "\u{feff}\u{202e}\u{10ffff}",
    ];
    words.extend(whole.map(|word| word.as_bytes().to_vec()));
    words.push(b"\xf0\x9f\xa6\xed\xa0\x80\xc0\x80\xff".to_vec());
    words.push((0..=255).collect());
    words
}

#[test]
fn hostile_words_make_no_second_line() {
    let place = Place::new();
    let path = place.directory().join("audit");
    let log = JsonLines::create(&path).unwrap();
    let server = Server::new().fallback(|_: &Request<'_>| ()).allow("*", "any");
    let daemon = start(server.audit(move |record| log.write(record)));
    let mut stream = daemon.connect().unwrap();
    let words = hostile();
    for word in &words {
        stream.write_all(&resp(&[&b"many"[..], &word[..]])).unwrap();
        // As a command name, which goes to the fallback or is not UTF-8.
        stream.write_all(&resp(&[&word[..], b"x"])).unwrap();
    }
    exchange(stream, b"");
    let records = lines(&path);
    assert_eq!(records.len(), words.len() * 2);
    for record in &records {
        let value = record["arguments"][0]["value"].as_str().unwrap();
        for text in [value, record["command"].as_str().unwrap()] {
            assert!(!text.chars().any(|c| c.is_control() || c == '…'), "{text}");
        }
        assert_eq!(record["decision"], "allowed");
        assert_eq!(record["uid"], rustix::process::geteuid().as_raw());
    }
    if peers::lacks("python3") {
        return;
    }
    let program = "import json, sys\n\
        text = open(sys.argv[1], encoding='utf-8', newline='').read()\n\
        print(len([json.loads(line) for line in text.splitlines()]))";
    let count = peers::text(Command::new("python3").args(["-c", program]).arg(&path), b"");
    assert_eq!(count.trim(), records.len().to_string());
}

/// Runs the daemon of the next test.
#[test]
fn serves() {
    apart::serve(|path| {
        let log = JsonLines::create(path.with_file_name("audit")).unwrap();
        let server = Server::new().state(Gate::default()).audit(move |record| log.write(record));
        server.run(path).unwrap();
    });
}

#[test]
fn every_denied_call_is_recorded_in_bounded_memory() {
    let place = Place::new();
    let path = place.directory().join("audit");
    let daemon = Apart::start("serves", place.socket());
    let attempts = long(1_000, 10_000);
    let mut stream = daemon.connect();
    let mut attempt = |n: usize| {
        let word = n.to_string();
        stream.write_all(&resp(&["erase", "sda", &word, "x"])).unwrap();
        let mut answer = [0; 128];
        let length = stream.read(&mut answer).unwrap();
        assert!(answer.starts_with(b"-NOPERM "), "{}", answer[..length].escape_ascii());
    };
    // Memory that the daemon keeps is allocated by the first calls.
    let (first, rest) = (0..attempts / 10, attempts / 10..attempts);
    first.for_each(&mut attempt);
    let before = daemon.resident();
    rest.for_each(&mut attempt);
    let grown = daemon.resident().saturating_sub(before);
    let records = lines(&path);
    assert_eq!(records.len(), attempts);
    for (n, record) in records.iter().enumerate() {
        assert_eq!(record["decision"], "denied");
        assert_eq!(record["arguments"][1]["value"], n.to_string());
    }
    figure(
        "denied attempts: tries, records, more memory in KiB",
        format_args!("{attempts}, {}, {}", records.len(), grown / 1024),
    );
    assert!(grown <= 512 * 1024, "{grown}");
}

#[test]
fn audit_file_is_private() {
    let place = Place::new();
    let path = place.directory().join("audit");
    let _log = JsonLines::create(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn audit_file_open_to_others_is_refused() {
    let place = Place::new();
    let path = |name: &str| place.directory().join(name);
    symlink(path("elsewhere"), path("link")).unwrap();
    fs::create_dir(path("directory")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        path("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    for mode in [0o620, 0o602, 0o666] {
        let path = path(&format!("{mode:o}"));
        fs::write(&path, "").unwrap();
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }
    let cases = [
        ("link", "it is a symbolic link, or behind too many"),
        ("directory", "Is a directory (os error 21)"),
        ("pipe", "it is not a regular file"),
        ("620", "it has mode 0620; only its owner may write to it"),
        ("602", "it has mode 0602; only its owner may write to it"),
        ("666", "it has mode 0666; only its owner may write to it"),
        ("no/such", "No such file or directory (os error 2)"),
    ];
    for (name, why) in cases {
        let path = path(name);
        let error = JsonLines::create(&path).unwrap_err().to_string();
        assert_eq!(error, format!("opening the audit file {}: {why}", path.display()));
    }
    assert!(!path("elsewhere").exists());
}

#[test]
fn audit_file_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        peers::skip("root, which can give files to others,");
        return;
    }
    let place = Place::new();
    let path = place.directory().join("audit");
    fs::write(&path, "").unwrap();
    std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
    let error = JsonLines::create(&path).unwrap_err().to_string();
    assert!(error.ends_with("it is owned by uid 65534; it must be owned by uid 0"), "{error}");
}

#[test]
fn moved_or_removed_file_is_replaced() {
    let place = Place::new();
    let path = place.directory().join("audit");
    let daemon = written(&path);
    let open = || {
        let links = fs::read_dir("/proc/self/fd").unwrap().flatten();
        let links = links.filter_map(|link| fs::read_link(link.path()).ok());
        links.filter(|link| link.starts_with(place.directory())).count()
    };
    ask(&daemon, "greet 1\n");
    assert_eq!(open(), 1);
    let old = place.directory().join("audit.1");
    fs::rename(&path, &old).unwrap();
    ask(&daemon, "greet 2\n");
    ask(&daemon, "greet 3\n");
    fs::remove_file(&path).unwrap();
    ask(&daemon, "greet 4\n");
    let value = |record: &Value| record["arguments"][0]["value"].clone();
    assert_eq!(lines(&old).iter().map(value).collect::<Vec<_>>(), ["1"]);
    assert_eq!(lines(&path).iter().map(value).collect::<Vec<_>>(), ["4"]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(open(), 1);

    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let answer = ask(&daemon, "greet 5\n");
    assert_eq!(answer, "-ERR the audit failed: is a directory; the command was not run\n");
    fs::remove_dir(&path).unwrap();
    assert_eq!(ask(&daemon, "greet 6\n"), "6 false []");
    assert_eq!(lines(&path).iter().map(value).collect::<Vec<_>>(), ["6"]);
}

#[test]
fn record_after_a_torn_line_is_whole() {
    let place = Place::new();
    let path = place.directory().join("audit");
    fs::write(&path, "{\"time\":\"20").unwrap();
    let daemon = written(&path);
    ask(&daemon, "greet 1\n");
    ask(&daemon, "greet 2\n");
    let text = fs::read_to_string(&path).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("{\"time\":\"20"));
    let rest: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rest.len(), 2);
}

#[test]
fn concurrent_writers_keep_lines_whole() {
    let place = Place::new();
    let path = place.directory().join("audit");
    let (writers, each) = (4, long(500, 10_000));
    // Each daemon opens the file itself, as separate processes do.
    let daemons: Vec<_> = (0..writers).map(|_| written(&path)).collect();
    thread::scope(|scope| {
        for daemon in &daemons {
            scope.spawn(move || {
                let client = daemon.client();
                for n in 0..each {
                    let word = "x".repeat(n % 250);
                    client.command("many").arg(&word).call::<u64>().unwrap();
                }
            });
        }
    });
    assert_eq!(lines(&path).len(), writers * each);
}

#[test]
fn full_disk_stops_commands_with_a_rule() {
    // A limit on the file's size stands in for a full disk: /dev/full is not a regular file.
    let place = Place::new();
    let path = place.directory().join("audit");
    let output = Command::new(std::env::current_exe().unwrap())
        .args([&*test_name("with_a_limit"), "--exact", "--nocapture"])
        .env("DOCKIPC_TEST_AUDIT", &path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let text = fs::read_to_string(&path).unwrap();
    let (mut whole, mut torn) = (0, 0);
    for line in text.lines() {
        match serde_json::from_str::<Value>(line) {
            Ok(_) => whole += 1,
            Err(_) => torn += 1,
        }
    }
    // Records before the limit, one torn line, and a record after the limit was lifted.
    assert!(whole >= 3 && torn == 1, "{text}");
}

/// The process of the test above.
#[test]
fn with_a_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Some(path) = std::env::var_os("DOCKIPC_TEST_AUDIT") else { return };
    let path = Path::new(&path);
    // Exceeding the limit also sends a signal, which would end this process.
    ignore_file_size_signal();
    let daemon = written(path);
    assert_eq!(ask(&daemon, "greet 1\n"), "1 false []");
    let one = fs::metadata(path).unwrap().len();
    let before = getrlimit(Resource::Fsize);
    let limit = Rlimit { current: Some(one * 2 + one / 2), ..before };
    setrlimit(Resource::Fsize, limit).unwrap();
    assert_eq!(ask(&daemon, "greet 2\n"), "2 false []");
    let failed = ask(&daemon, "greet 3\n");
    assert!(failed.starts_with("-ERR the audit failed: "), "{failed}");
    assert!(ask(&daemon, "greet 4\n").starts_with("-ERR the audit failed: "));
    assert!(ask(&daemon, "erase sda 3\n").starts_with("-NOPERM "));
    setrlimit(Resource::Fsize, before).unwrap();
    assert_eq!(ask(&daemon, "greet 5\n"), "5 false []");
}

#[expect(unsafe_code, reason = "signal(2) has no safe form")]
fn ignore_file_size_signal() {
    // SAFETY: ignoring a signal runs no code.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}
