//! Answers and commands of many bytes, read and sent in pieces of any size.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use dockipc::{Error, IntoReply, Reply, Request, Server};
use tests::dice::Dice;
use tests::process::until;
use tests::{Daemon, Place, expect, resp, rest};

const MIB: usize = 1 << 20;

/// Bytes of which hardly any two pieces are equal.
fn pattern(len: usize) -> Vec<u8> {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    let bytes = BYTES.get_or_init(|| {
        let mut dice = Dice::new(1);
        (0..=64 * MIB / 8).flat_map(|_| dice.roll().to_be_bytes()).collect()
    });
    bytes[..len].to_vec()
}

/// A daemon that answers `big N` with N bytes, and `list N M` with a list of N such answers of M bytes
/// and their numbers.
fn daemon(server: Server) -> Daemon {
    let big = |request: &Request<'_>| Ok::<_, dockipc::Failure>(pattern(request.parse(0)?));
    let list = |request: &Request<'_>| {
        let (count, len) = (request.parse(0)?, request.parse(1)?);
        Ok::<_, dockipc::Failure>((0..count).map(|i| (i, pattern(len))).collect::<Vec<(u64, _)>>())
    };
    let echo = |request: &Request<'_>| request.word(0).unwrap_or_default().to_vec();
    Daemon::start(server.handle("big", big).handle("list", list).handle("echo-all", echo))
}

fn bulk(bytes: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// Compares the next bytes, reading pieces of sizes up to `most`.
fn read_in_pieces(stream: &mut UnixStream, expected: &[u8], most: usize, dice: &mut Dice) {
    let mut piece = vec![0; most];
    let mut at = 0;
    while at < expected.len() {
        let room = (1 + dice.below(most)).min(expected.len() - at);
        let n = stream.read(&mut piece[..room]).expect("more of the answer");
        assert!(n > 0, "the answer ends after {at} of {} bytes", expected.len());
        assert!(piece[..n] == expected[at..at + n], "another byte after {at}");
        at += n;
    }
}

#[test]
fn answer_of_64_mib_is_whole_at_odd_read_sizes() {
    let (daemon, mut dice) = (daemon(Server::new()), Dice::thrown());
    let len = 64 * MIB + 1;
    let bytes = pattern(len);
    for most in [4_093, 3 * MIB] {
        let mut stream = daemon.connect();
        stream.write_all(format!("big {len}\n").as_bytes()).expect("sent");
        read_in_pieces(&mut stream, &bytes, most, &mut dice);
        assert_eq!(rest(stream), b"");
        let mut stream = daemon.connect();
        stream.write_all(&resp(&["big", &len.to_string()])).expect("sent");
        read_in_pieces(&mut stream, &bulk(&bytes), most, &mut dice);
        stream.write_all(&resp(&["ping"])).expect("sent");
        expect(&mut stream, b"+PONG\r\n");
    }
}

#[test]
fn pipeline_of_big_and_small_answers_keeps_its_order() {
    let (daemon, mut dice) = (daemon(Server::new()), Dice::thrown());
    let lengths = [0, 1, 16_383, 16_384, 5 * MIB, 7, 16_385, 100_000, 3 * MIB + 1, 2];
    let mut commands = Vec::new();
    let mut answers = Vec::new();
    for _ in 0..3 {
        for len in lengths {
            commands.extend(resp(&["big", &len.to_string()]));
            commands.extend(resp(&["ping", "between"]));
            answers.extend(bulk(&pattern(len)));
            answers.extend(b"$7\r\nbetween\r\n");
        }
    }
    let mut stream = daemon.connect();
    stream.write_all(&commands).expect("sent");
    read_in_pieces(&mut stream, &answers, 200_000, &mut dice);
}

#[test]
fn big_items_of_lists_and_transactions_are_whole() {
    let (daemon, mut dice) = (daemon(Server::new()), Dice::thrown());
    let (count, len) = (50, 20_000);
    let item = |i: usize| [format!("*2\r\n:{i}\r\n").as_bytes(), &bulk(&pattern(len))].concat();
    let list = [b"*50\r\n".to_vec(), (0..count).flat_map(item).collect()].concat();
    let mut stream = daemon.connect();
    stream.write_all(&resp(&["list", "50", "20000"])).expect("sent");
    read_in_pieces(&mut stream, &list, 1000, &mut dice);

    let big = resp(&["big", &(2 * MIB).to_string()]);
    let all = [resp(&["multi"]), big.clone(), resp(&["ping"]), big, resp(&["exec"])].concat();
    stream.write_all(&all).expect("sent");
    let big = bulk(&pattern(2 * MIB));
    let queued = b"+QUEUED\r\n".repeat(3);
    let answer = [b"+OK\r\n", &queued[..], b"*3\r\n", &big, b"+PONG\r\n", &big].concat();
    read_in_pieces(&mut stream, &answer, 50_000, &mut dice);

    // In line mode, text in a row is escaped.
    let rows: Vec<_> = (0..3_u64).map(|i| (i, pattern(300_000))).collect();
    let rows = rows.into_reply().into_line();
    let mut stream = daemon.connect();
    stream.write_all(b"list 3 300000\n").expect("sent");
    read_in_pieces(&mut stream, &rows, 10_000, &mut dice);
    assert_eq!(rest(stream), b"");
}

#[test]
fn client_reads_big_answers_whole() {
    let daemon = daemon(Server::new());
    let client = dockipc::Client::new(daemon.path()).max_answer(100 * MIB);
    // Around the size from which an answer has memory of its own, and beyond its first.
    for len in [65_520, 65_526, 65_527, 65_528, 65_536, 65_537, MIB, MIB + 1, 40 * MIB + 3] {
        let bytes = pattern(len);
        assert!(client.command("big").arg(len).call::<Vec<u8>>().expect("an answer") == bytes);
        assert!(client.send(&format!("big {len}")).expect("an answer") == bytes);
        let mut copy = Vec::new();
        client.command("big").arg(len).copy_to(&mut copy).expect("an answer");
        assert!(copy == bytes, "{len}");
        let mut pipeline = client.pipeline();
        pipeline.command("ping", ["a"]).command("big", [len]).command("ping", ["b"]);
        let text = |text: &str| Reply::bytes(text);
        let answers = pipeline.call().expect("answers");
        assert!(answers == [text("a"), Reply::Bytes(bytes), text("b")], "{len}");
    }
    let limit = client.clone().max_answer(MIB);
    let refused = limit.command("big").arg(MIB).call::<Vec<u8>>();
    assert!(matches!(refused, Err(Error::AnswerTooBig { .. })), "{refused:?}");
}

#[test]
fn client_tells_a_cut_big_answer() {
    let place = Place::new();
    let listener = UnixListener::bind(place.socket()).expect("a socket");
    let client = dockipc::Client::new(place.socket());
    for sent in [65_537, MIB + 12, 2 * MIB + 9, 2 * MIB + 10] {
        let answer = bulk(&pattern(2 * MIB));
        let received = thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().expect("a client");
                // HELLO and CLIENT SETINFO, and then the answer's beginning.
                stream.write_all(b"%0\r\n+OK\r\n").expect("sent");
                let _ = stream.read(&mut [0; 4096]);
                stream.write_all(&answer[..sent]).expect("sent");
                let _ = stream.shutdown(Shutdown::Write);
                let _ = stream.read_to_end(&mut Vec::new());
            });
            // Without a retry.
            client.pipeline().command("big", ["x"]).call()
        });
        match received {
            Err(Error::CutOff { received, .. }) => assert_eq!(received, sent),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("{sent} bytes were taken for whole"),
        }
    }
}

#[test]
fn commands_of_many_bytes_arrive_whole() {
    let daemon = daemon(Server::new().max_command(200 * MIB).arrival_timeout(None));
    let bytes = pattern(20 * MIB + 7);
    let mut stream = daemon.connect();
    let command = resp(&[&b"echo-all"[..], &bytes[..]]);
    thread::scope(|scope| {
        let mut writer = stream.try_clone().expect("a copy");
        scope.spawn(move || {
            let mut at = 0;
            let mut dice = Dice::thrown();
            while at < command.len() {
                let n = (1 + dice.below(MIB)).min(command.len() - at);
                writer.write_all(&command[at..at + n]).expect("sent");
                at += n;
            }
            writer.write_all(&resp(&["ping"])).expect("sent");
        });
        let answer = [bulk(&bytes), b"+PONG\r\n".to_vec()].concat();
        read_in_pieces(&mut stream, &answer, MIB, &mut Dice::thrown());
    });
    // Also from our client, over a new connection and over a used one.
    let client = dockipc::Client::new(daemon.path());
    for _ in 0..2 {
        assert!(client.command("echo-all").arg(&bytes).call::<Vec<u8>>().expect("it") == bytes);
    }
}

#[test]
fn many_words_of_a_big_command_arrive_whole() {
    let server = Server::new().max_command(64 * MIB).handle("sum", |request: &Request<'_>| {
        request.words().map(|word| word.len() as u64).sum::<u64>()
    });
    let daemon = Daemon::start(server);
    let words: Vec<Vec<u8>> = (0..200_000).map(|i| vec![b'x'; i % 300]).collect();
    let total: usize = words.iter().map(Vec::len).sum();
    let mut stream = daemon.connect();
    let all = [&[b"sum".to_vec()][..], &words].concat();
    stream.write_all(&resp(&all)).expect("sent");
    expect(&mut stream, format!(":{total}\r\n").as_bytes());
}

#[test]
fn mute_reader_of_a_big_answer_is_cut_off() {
    let daemon = daemon(Server::new().write_timeout(Duration::from_millis(200)));
    for command in [resp(&["big", &(8 * MIB).to_string()]), b"big 8388608\n".to_vec()] {
        let mut stream = daemon.connect();
        stream.write_all(&command).expect("sent");
        until("the end of the connection", || {
            daemon.ask(resp(&["info", "clients"])).contains("connected_clients:1\\r")
        });
        let got = rest(stream);
        assert!(got.len() < 4 * MIB, "{} bytes arrived", got.len());
    }
}

#[test]
fn stop_sends_a_big_answer_to_its_end() {
    let daemon = daemon(Server::new());
    let mut stream = daemon.connect();
    let len = 20 * MIB;
    stream.write_all(&resp(&["big", &len.to_string()])).expect("sent");
    let mut first = [0];
    stream.read_exact(&mut first).expect("the first byte");
    daemon.handle().shutdown();
    let got = [&first[..], &rest(stream)].concat();
    assert!(got == bulk(&pattern(len)), "{} bytes", got.len());
}
