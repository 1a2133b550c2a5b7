//! The first commands of clients that CI does not install, as read from their sources. Each must get an
//! answer with which that source goes on.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use dockipc::Server;
use tests::{Daemon, resp};

/// The answers with which a client goes on.
#[derive(Clone, Copy, Debug)]
enum Goes {
    /// Any one answer, an error included.
    On,
    /// Any answer but an error.
    OnWithoutError,
    /// A map with these keys; `id` and `proto` are integers, the others text.
    OnWithMap,
    /// An integer, or an error.
    OnWithInteger,
    /// A bulk string.
    OnWithText,
    /// The same bytes as a bulk string.
    OnWithEcho,
}

use Goes::{On, OnWithEcho, OnWithInteger, OnWithMap, OnWithText, OnWithoutError};

/// A client, the version whose source was read, and the file; then what it sends, in writes that each wait for
/// their answers.
type Start = (&'static str, &'static [&'static [(&'static str, Goes)]]);

/// `<id>` stands for sixteen bytes that are not UTF-8.
const STARTS: &[Start] = &[
    // The first error is raised, except that of CLIENT SETINFO.
    (
        "redis-client 0.30.0 for Ruby, lib/redis_client.rb, connect",
        &[&[("HELLO 3", OnWithoutError)]],
    ),
    (
        "redis-client 0.30.0 for Ruby, driver_info of redis 5, id",
        &[&[
            ("HELLO 3", OnWithoutError),
            ("CLIENT SETINFO LIB-NAME redis-client(redis-rb_v5.4.1)", On),
            ("CLIENT SETINFO LIB-VER 0.30.0", On),
            ("CLIENT SETNAME me", OnWithoutError),
        ]],
    ),
    // Any error of Redis' form is accepted; without HELLO's map it falls back to RESP2.
    (
        "go-redis 9.22.0, redis.go, initConn",
        &[
            &[("hello 3", OnWithMap)],
            &[("client maint_notifications on moving-endpoint-type none", On)],
            &[
                ("client setinfo LIB-NAME go-redis(,go1.25.1)", On),
                ("client setinfo LIB-VER 9.22.0", On),
            ],
        ],
    ),
    (
        "go-redis 9.22.0, redis.go, initConn, Protocol: 2 and ClientName",
        &[
            &[("hello 2 setname me", OnWithoutError)],
            &[("client setname me", OnWithoutError)],
            &[
                ("client setinfo LIB-NAME go-redis(,go1.25.1)", On),
                ("client setinfo LIB-VER 9.22.0", On),
            ],
        ],
    ),
    // `proto` must be there. The answers of CLIENT SETINFO are not looked at.
    (
        "jedis 8.0.0-SNAPSHOT, ProtocolHandshake.java and Connection.java, initializeFromClientConfig",
        &[
            &[("HELLO 3", OnWithMap)],
            &[("CLIENT SETINFO LIB-NAME jedis", On), ("CLIENT SETINFO LIB-VER 8.0.0", On)],
        ],
    ),
    (
        "jedis 8.0.0-SNAPSHOT, autoNegotiateProtocol(false) and clientName",
        &[&[
            ("CLIENT SETNAME me", On),
            ("CLIENT SETINFO LIB-NAME jedis", On),
            ("CLIENT SETINFO LIB-VER 8.0.0", On),
        ]],
    ),
    // It casts `id` to a number and `mode`, `version` and `role` to text.
    (
        "lettuce 7.8.0-SNAPSHOT, RedisHandshake.java, initialize",
        &[
            &[("HELLO 3", OnWithMap)],
            &[
                ("CLIENT SETINFO lib-name Lettuce", On),
                ("CLIENT SETINFO lib-ver 7.8.0-SNAPSHOT", On),
            ],
            &[("CLIENT MAINT_NOTIFICATIONS on moving-endpoint-type none", On)],
        ],
    ),
    (
        "lettuce 7.8.0-SNAPSHOT, RedisHandshake.java, ProtocolVersion.RESP2",
        &[&[("PING", OnWithoutError)], &[("CLIENT SETINFO lib-name Lettuce", On)]],
    ),
    // An error of a CLIENT command other than SETINFO ends with ErrNoCache.
    (
        "rueidis 1.0.76, pipe.go, _newPipe",
        &[&[
            ("HELLO 3", OnWithMap),
            ("CLIENT TRACKING ON OPTIN", OnWithoutError),
            ("CLIENT SETINFO LIB-NAME rueidis", On),
            ("CLIENT SETINFO LIB-VER 1.0.76", On),
        ]],
    ),
    (
        "rueidis 1.0.76, pipe.go, _newPipe, every option",
        &[&[
            ("HELLO 3 SETNAME me", OnWithMap),
            ("INFO SERVER", OnWithoutError),
            ("CLIENT TRACKING ON OPTIN", OnWithoutError),
            ("READONLY", On),
            ("CLIENT NO-TOUCH ON", OnWithoutError),
            ("CLIENT NO-EVICT ON", OnWithoutError),
            ("CLIENT CAPA redirect", OnWithoutError),
            ("CLIENT SETINFO LIB-NAME rueidis", On),
            ("CLIENT SETINFO LIB-VER 1.0.76", On),
        ]],
    ),
    (
        "rueidis 1.0.76, pipe.go, _newPipe, AlwaysRESP2 and DisableCache",
        &[&[
            ("HELLO 2", OnWithoutError),
            ("CLIENT SETINFO LIB-NAME rueidis", On),
            ("CLIENT SETINFO LIB-VER 1.0.76", On),
        ]],
    ),
    // ECHO completes the connection: a bulk string with the same bytes.
    (
        "StackExchange.Redis 3.1, ServerEndPoint.cs, HandshakeAsync and AutoConfigureAsync",
        &[
            &[
                ("HELLO 3", OnWithMap),
                ("CLIENT SETNAME me", On),
                ("CLIENT SETINFO lib-name SE.Redis", On),
                ("CLIENT SETINFO lib-ver 3.1.0", On),
                ("CLIENT ID", OnWithInteger),
                ("CONFIG GET replica-read-only", On),
                ("CONFIG GET databases", On),
                ("SENTINEL MASTERS", On),
                ("INFO replication", OnWithText),
                ("INFO server", OnWithText),
                ("CLUSTER NODES", On),
                ("GET __Booksleeve_TieBreak", On),
                ("ECHO <id>", OnWithEcho),
            ],
            &[("SUBSCRIBE __Booksleeve_MasterChanged", On)],
        ],
    ),
];

/// Bytes that are no UTF-8, as those of a GUID.
const ID: &[u8] = b"\x00\xff\r\n\x80*3\r\n\xc0\xafabcd";

#[test]
fn clients_go_on_after_their_first_commands() {
    let daemon = Daemon::start(Server::new());
    let mut wrong = Vec::new();
    for (client, writes) in STARTS {
        let mut stream = daemon.connect();
        for commands in *writes {
            stream
                .write_all(&commands.iter().flat_map(|(line, _)| encoded(line)).collect::<Vec<_>>())
                .unwrap();
            for (line, goes) in *commands {
                let answer = answer(&mut stream);
                if !goes.with(&answer) {
                    let answer = answer.escape_ascii();
                    wrong.push(format!("{client}\n  {line}: {answer}\n  expected {goes:?}"));
                }
            }
        }
        // The connection is in step.
        stream.write_all(&resp(&["echo", "hi"])).unwrap();
        assert_eq!(answer(&mut stream), b"$2\r\nhi\r\n", "{client}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn encoded(line: &str) -> Vec<u8> {
    let words: Vec<_> =
        line.split(' ').map(|word| if word == "<id>" { ID } else { word.as_bytes() }).collect();
    resp(&words)
}

/// Reads one whole answer.
fn answer(stream: &mut UnixStream) -> Vec<u8> {
    let mut answer = Vec::new();
    let mut missing = 1;
    while missing > 0 {
        let start = answer.len();
        while !answer[start..].ends_with(b"\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("an answer");
            answer.push(byte[0]);
        }
        let head = str::from_utf8(&answer[start + 1..answer.len() - 2]).expect("text").to_owned();
        let count = || head.parse::<usize>().expect("a count");
        missing -= 1;
        match answer[start] {
            b'$' if head != "-1" => {
                let mut bytes = vec![0; count() + 2];
                stream.read_exact(&mut bytes).expect("the rest of an answer");
                answer.extend(bytes);
            }
            b'*' | b'~' => missing += count(),
            b'%' => missing += 2 * count(),
            b'>' => panic!("a push: {}", answer.escape_ascii()),
            _ => {}
        }
    }
    answer
}

impl Goes {
    fn with(self, answer: &[u8]) -> bool {
        let has = |part: &str| answer.escape_ascii().to_string().contains(part);
        match self {
            On => true,
            OnWithoutError => answer[0] != b'-',
            OnWithMap => {
                let integers = ["proto", "id"].map(|key| format!(r"{key}\r\n:"));
                let texts = ["server", "version", "mode", "role"].map(|key| format!(r"{key}\r\n$"));
                answer[0] == b'%' && integers.iter().chain(&texts).all(|field| has(field))
            }
            OnWithInteger => matches!(answer[0], b':' | b'-'),
            OnWithText => answer[0] == b'$',
            OnWithEcho => answer == [format!("${}\r\n", ID.len()).as_bytes(), ID, b"\r\n"].concat(),
        }
    }
}
