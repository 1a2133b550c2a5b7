//! The program `dockipc` and sockets of other programs: HTTP, Redis, D-Bus, datagrams, endless and silent
//! ones.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen, socket};
use tests::ctl::{self, Ran, dockipc, run};
use tests::peers::lacks;
use tests::process::{listens, until};
use tests::scripted::handshake;
use tests::{Place, is_long};

/// Gives each connection to a function, until the process ends. Returns all bytes that arrived.
fn serve(path: &Path, answer: fn(&mut UnixStream)) -> Arc<Mutex<Vec<u8>>> {
    let listener = UnixListener::bind(path).unwrap();
    let received = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&received);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let received = Arc::clone(&received);
            let mut input = stream.try_clone().unwrap();
            thread::spawn(move || {
                answer(&mut stream);
                let mut bytes = Vec::new();
                let _ = input.read_to_end(&mut bytes);
                received.lock().unwrap().extend(bytes);
            });
        }
    });
    all
}

/// Checks that each subcommand that calls a daemon says what is at the path.
#[track_caller]
fn is_foreign(path: &Path, what: &str) {
    let path = path.to_str().unwrap();
    let calls: [&[&str]; 7] = [
        &["call", path, "secret"],
        &[path, "secret"],
        &[path],
        &["commands", path],
        &["help", path, "secret"],
        &["ping", path],
        &["schema", path],
    ];
    for words in calls {
        says(&dockipc(words), path, what);
    }
    for words in [&["call", "-f", "-", path][..], &["shell", path]] {
        let ran = run(ctl::command(&ctl::path()).args(words), b"secret\n");
        says(&Ran { err: ran.err.replace("line 1: ", ""), ..ran }, path, what);
    }
}

#[track_caller]
fn says(ran: &Ran, path: &str, what: &str) {
    let text = format!("not a dockipc daemon: {path} {what}; `doctor` shows what is there");
    assert_eq!((ran.code, &*ran.err), (Some(7), &*format!("test-dockipc: {text}\n")));
    assert!(ran.out.is_empty(), "{ran:?}");
}

#[test]
fn answer_of_another_program_is_named() {
    let place = Place::new();
    let at = |name: &str| place.directory().join(name);
    serve(&at("http"), |stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nno");
    });
    is_foreign(&at("http"), "is an HTTP server");
    serve(&at("redis"), |stream| {
        let _ = stream.write_all(b"%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n+OK\r\n");
    });
    is_foreign(&at("redis"), "is a Redis server");
    serve(&at("other"), |stream| {
        let _ = stream.write_all(b"%1\r\n$6\r\nserver\r\n$5\r\n\x1b[2Jx\r\n+OK\r\n");
    });
    is_foreign(&at("other"), "is a server of Redis' protocol named \"\\u{1b}[2Jx\"");
    serve(&at("noauth"), |stream| {
        let _ = stream.write_all(b"-NOAUTH HELLO needs a password\r\n-NOAUTH no\r\n");
    });
    let noauth = "is a server of Redis' protocol that answers \"NOAUTH HELLO needs a password\"";
    is_foreign(&at("noauth"), noauth);
    serve(&at("old"), |stream| {
        let _ = stream.write_all(b"-ERR unknown command 'HELLO'\r\n-ERR no\r\n");
    });
    let old = "is a server of Redis' protocol that answers \"ERR unknown command 'HELLO'\"";
    is_foreign(&at("old"), old);
    serve(&at("ssh"), |stream| drop(stream.write_all(b"SSH-2.0-x\r\n")));
    is_foreign(&at("ssh"), "answers the greeting with \"SSH-2.0-x\\r\\n\"");
}

#[test]
fn endless_sender_is_named() {
    let place = Place::new();
    let at = |name: &str| place.directory().join(name);
    serve(&at("bytes"), |stream| while stream.write_all(&[b'+'; 4096]).is_ok() {});
    is_foreign(&at("bytes"), &format!("answers the greeting with \"{}\"", "+".repeat(32)));
    serve(&at("answers"), |stream| while stream.write_all(b"+PONG\r\n").is_ok() {});
    is_foreign(&at("answers"), "is a server of Redis' protocol that does not name itself");
    // Each push frame could be followed by the answer.
    serve(&at("pushes"), |stream| while stream.write_all(b">1\r\n+x\r\n").is_ok() {});
    let ran = dockipc(["commands", "--timeout", "100ms", at("pushes").to_str().unwrap()]);
    let text = "timed out after 100ms waiting for the greeting \
                (the daemon hangs, or is not a dockipc daemon); the command did not run";
    assert_eq!((ran.code, &*ran.err), (Some(5), &*format!("test-dockipc: {text}\n")));
}

#[test]
fn socket_without_streams_is_named() {
    let place = Place::new();
    let at = |name: &str| place.directory().join(name);
    let _datagrams = UnixDatagram::bind(at("datagrams")).unwrap();
    let packets = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
    bind(&packets, &SocketAddrUnix::new(at("packets")).unwrap()).unwrap();
    listen(&packets, 5).unwrap();
    for name in ["datagrams", "packets"] {
        is_foreign(&at(name), "is a datagram or seqpacket socket, not a stream socket");
    }
}

#[test]
fn closed_connection_depends_on_the_lock_file() {
    let place = Place::new();
    let path = place.socket();
    serve(&path, |stream| drop(stream.shutdown(std::net::Shutdown::Both)));
    is_foreign(&path, "closes the connection without an answer to the greeting");
    // A daemon that ended.
    fs::write(place.directory().join("s.sock.lock"), "").unwrap();
    let ran = dockipc(["call", path.to_str().unwrap(), "secret"]);
    assert!(ran.code == Some(6) && ran.err.contains("the command did not run"), "{ran:?}");
}

#[test]
fn foreign_socket_gets_only_the_greeting() {
    let place = Place::new();
    let file = place.directory().join("token");
    fs::write(&file, "0123456789abcdef-the-token").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let file = file.to_str().unwrap();
    for (name, options) in [("plain", &[][..]), ("with-token", &["--token-file", file])] {
        let path = place.directory().join(name);
        let received = serve(&path, |stream| {
            let _ = stream.write_all(b"%0\r\n+OK\r\n");
        });
        let mut command = ctl::command(&ctl::path());
        let ran = run(command.arg("call").args(options).arg(&path).args(["login", "secret"]), b"");
        assert_eq!(ran.code, Some(7), "{ran:?}");
        until("the connection ends", || !received.lock().unwrap().is_empty());
        let received = received.lock().unwrap().escape_ascii().to_string();
        assert_eq!(received, handshake().escape_ascii().to_string());
    }
}

#[test]
fn silent_socket_is_named_after_a_while() {
    // Takes as long as the program's limit.
    if !is_long() {
        return;
    }
    let place = Place::new();
    let (silent, daemon) = (place.directory().join("silent"), place.socket());
    let _listeners = [&silent, &daemon].map(|path| UnixListener::bind(path).unwrap());
    fs::write(place.directory().join("s.sock.lock"), "").unwrap();
    let ran = dockipc(["call", silent.to_str().unwrap(), "x"]);
    says(&ran, silent.to_str().unwrap(), "does not answer the greeting within 10s");
    let ran = dockipc(["commands", daemon.to_str().unwrap()]);
    assert!(ran.code == Some(5) && ran.err.contains("timed out after 10s"), "{ran:?}");
}

/// Another program that listens. It is killed when this is dropped.
struct Server(Child);

impl Server {
    /// Returns `None` if the program is not installed.
    fn start(command: &mut Command, path: &Path) -> Option<Self> {
        if lacks(command.get_program().to_str().unwrap()) {
            return None;
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        until("it listens", || listens(path));
        Some(Self(child))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn real_programs_are_named() {
    let place = Place::new();
    let at = |name: &str| place.directory().join(name);
    let http = "import http.server, socketserver, sys\n\
                class Handler(http.server.BaseHTTPRequestHandler):\n    \
                    def address_string(self): return 'unix'\n\
                socketserver.UnixStreamServer(sys.argv[1], Handler).serve_forever()";
    let mut python = Command::new("python3");
    if let Some(_http) = Server::start(python.args(["-c", http]).arg(at("http")), &at("http")) {
        is_foreign(&at("http"), "is an HTTP server");
    }
    let mut redis = Command::new("redis-server");
    redis.args(["--port", "0", "--save", "", "--unixsocket"]).arg(at("redis"));
    if let Some(_redis) = Server::start(&mut redis, &at("redis")) {
        is_foreign(&at("redis"), "is a Redis server");
    }
    let mut bus = Command::new("dbus-daemon");
    bus.args(["--session", "--nofork"]).arg(format!("--address=unix:path={}", at("bus").display()));
    if let Some(_bus) = Server::start(&mut bus, &at("bus")) {
        is_foreign(&at("bus"), "closes the connection without an answer to the greeting");
    }
}
