//! Clients that send the token: ours, and Redis clients, which send it as their password.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use dockipc::{Client, Server, State};
use tests::peers::{lacks, run, text, versions};
use tests::{Daemon, test_name};

use super::token::{File, TOKEN, refusal, server, start};

#[test]
fn client_sends_its_token_on_each_connection() {
    let daemon = start();
    let file = File::new(format!("{TOKEN}\n"));
    let plain = Client::new(daemon.path());
    let refused = plain.send("vault").expect_err("no token");
    assert_eq!(refusal(&refused), "NOPERM");
    for client in [plain.clone().token(TOKEN), plain.clone().token_file(file.path())] {
        for _ in 0..3 {
            assert!(client.command("vault").call::<u64>().is_ok());
            assert!(client.send("vault").is_ok());
        }
        let mut pipeline = client.pipeline();
        pipeline.command("vault", [""; 0]).command("hall", [""; 0]);
        assert!(pipeline.call().unwrap().into_iter().all(|reply| reply.parse::<String>().is_ok()));
        assert!(plain.send("vault").is_err(), "another client's connection");
        let max_idle = client.max_idle(0);
        assert!(max_idle.send("vault").is_ok() && max_idle.send("vault").is_ok());
    }
    // A connection that the caller authenticated by hand is not kept.
    assert!(plain.command("auth").arg(TOKEN).call::<()>().is_ok());
    assert!(plain.send(&format!("auth {TOKEN}")).is_ok());
    assert!(plain.send("vault").is_err());
}

#[test]
fn client_runs_nothing_with_a_wrong_token() {
    let file = File::new(TOKEN);
    let hits = State::new(AtomicU64::new(0));
    let counted = hits.clone();
    let server = server().handle("hit", move |_: &dockipc::Request<'_>| {
        counted.fetch_add(1, Relaxed);
    });
    let daemon = Daemon::start(server.token_file(file.path()));
    let client = Client::new(daemon.path()).token("not the token at all");
    for _ in 0..5 {
        let error = client.send("hit").expect_err("a wrong token");
        assert_eq!(error.to_string(), "WRONGPASS wrong token (1 of 3 attempts used)");
    }
    assert_eq!(hits.load(Relaxed), 0, "a command that needs no token");
    let printed = format!("{client:?} {:?} {:?}", client.command("vault"), client.pipeline());
    assert!(!printed.contains("not the token"), "{printed}");
    // A daemon without a token says so.
    let open = Daemon::start(Server::new());
    let error = Client::new(open.path()).token(TOKEN).send("ping").expect_err("no password");
    assert_eq!(error.to_string(), "ERR this daemon has no password; connect without one");
}

#[test]
fn client_reads_its_token_from_the_environment() {
    const ROLE: &str = "DOCKIPC_TEST_TOKEN_SOCKET";
    if let Some(socket) = std::env::var_os(ROLE) {
        let client = Client::new(socket);
        let plain = client.send("vault").is_ok();
        println!("answered: {plain} {}", client.token_from_env().send("vault").is_ok());
        return;
    }
    let (daemon, file) = (start(), File::new(TOKEN));
    let path = file.path();
    let path = path.to_str().expect("a path in ASCII");
    let wrong = "not the token at all";
    let cases = [
        ("", "", "false"),
        (path, "", "true"),
        ("", TOKEN, "true"),
        (path, wrong, "true"),
        ("/no/such/file", TOKEN, "false"),
    ];
    for (file, token, expected) in cases {
        let mut program = Command::new(std::env::current_exe().expect("this test"));
        let this = test_name("client_reads_its_token_from_the_environment");
        program.args(["--exact", &this, "--nocapture"]);
        program.env(ROLE, daemon.path());
        program.env("DOCKIPC_TOKEN_FILE", file).env("DOCKIPC_TOKEN", token);
        let output = program.output().expect("its output");
        let text = String::from_utf8_lossy(&output.stdout);
        // Without `token_from_env` the client ignores the variables.
        assert!(text.contains(&format!("answered: false {expected}")), "{file} {token}: {text}");
    }
}

#[test]
fn client_requires_the_owner_that_listens() {
    let daemon = start();
    let me = rustix::process::geteuid().as_raw();
    for client in [Client::new(daemon.path()), daemon.handle().client()] {
        // A kept connection was not checked.
        assert!(client.send("hall").is_ok());
        let other = client.clone().require_owner(me + 1);
        let error = other.send("hall").expect_err("another owner").to_string();
        assert!(error.starts_with(&format!("wrong owner: uid {me} is listening at ")), "{error}");
        let required = format!(", but uid {} is required; nothing was sent", me + 1);
        assert!(error.ends_with(&required), "{error}");
        assert!(other.require_owner(me).send("hall").is_ok(), "one of two");
        let client = client.require_owner(me).token(TOKEN);
        assert!(client.command("vault").call::<u64>().is_ok());
    }
}

#[test]
fn redis_cli_authenticates_in_each_way() {
    if lacks("redis-cli") {
        return;
    }
    let daemon = start();
    let ask = |arguments: &[&str], token: &str| {
        let mut command = Command::new("timeout");
        command.args(["60", "redis-cli", "-s"]).arg(daemon.path()).args(arguments);
        if !token.is_empty() {
            command.env("REDISCLI_AUTH", token);
        }
        let output = run(command.arg("vault"), b"");
        let error = String::from_utf8(output.stderr).expect("text");
        (String::from_utf8(output.stdout).expect("text"), error)
    };
    for protocol in ["-2", "-3"] {
        let ways: [(&[&str], &str); 4] = [
            (&[protocol], TOKEN),
            (&[protocol, "--no-auth-warning", "-a", TOKEN], ""),
            (&[protocol, "--no-auth-warning", "--pass", TOKEN], ""),
            (&[protocol, "--no-auth-warning", "--user", "me", "--pass", TOKEN], ""),
        ];
        for (arguments, token) in ways {
            let (answer, error) = ask(arguments, token);
            assert!(answer.trim().parse::<u64>().is_ok(), "{arguments:?}: {answer}{error}");
        }
        let (answer, error) = ask(&[protocol], "not the token at all");
        assert!(answer.starts_with("NOPERM") && error.contains("WRONGPASS"), "{answer}{error}");
        let (answer, _) = ask(&[protocol], "");
        assert!(answer.starts_with("NOPERM"), "{answer}");
    }
}

#[test]
fn redis_py_authenticates_with_a_password() {
    every_version("python3", "python", &["redis"], "password.py");
}

#[test]
fn node_clients_authenticate_with_a_password() {
    every_version("node", "node", &["redis", "ioredis"], "password.cjs");
}

fn every_version(interpreter: &str, language: &str, clients: &[&str], script: &str) {
    if lacks(interpreter) {
        return;
    }
    for version in clients.iter().flat_map(|client| versions(language, client)) {
        let report = text(&mut call(interpreter, script, &start(), &version), b"");
        assert!(report.ends_with("ok\n"), "{report}");
        print!("{report}");
    }
}

fn call(interpreter: &str, script: &str, daemon: &Daemon, version: &Path) -> Command {
    let mut command = Command::new("timeout");
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    command.args(["60", interpreter]).arg(scripts.join(script)).arg(daemon.path()).arg(TOKEN);
    command.env("PYTHONPATH", version).env("NODE_PATH", version.join("node_modules"));
    command
}
