//! Calls with a body.

use std::io::{self, BufRead, BufReader, Cursor, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;

use dockipc::{Client, Error};
use tests::scripted::{greet_alone, scripted};
use tests::{PATIENCE, Place};

/// The answers of a daemon that knows streams and bodies.
const GREETING: &[u8] = b"%2\r\n$6\r\nserver\r\n$7\r\ndockipc\r\n\
    $4\r\nwith\r\n$29\r\ndeadline stream body progress\r\n+OK\r\n";

/// Reads one command; `None` at the end of the connection.
fn command(input: &mut impl BufRead) -> Option<Vec<Vec<u8>>> {
    let count = number(input, '*')?;
    (0..count)
        .map(|_| {
            let mut word = vec![0; number(input, '$')? + 2];
            input.read_exact(&mut word).ok()?;
            word.truncate(word.len() - 2);
            Some(word)
        })
        .collect()
}

fn number(input: &mut impl BufRead, kind: char) -> Option<usize> {
    let mut line = String::new();
    input.read_line(&mut line).ok()?;
    let digits = line.strip_suffix("\r\n")?.strip_prefix(kind)?;
    Some(digits.parse().expect("a number"))
}

/// Reads a part of a body; `None` at its end. A panic if the connection ends.
fn part(input: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut words = command(input).expect("a frame of the body");
    assert_eq!(words[0], b"dockipc");
    match (&words[1][..], words.len()) {
        (b"data", 3) => words.pop(),
        (b"end", 2) => None,
        _ => panic!("{words:?}"),
    }
}

/// Accepts a connection, and reads the opening of a call.
fn open(accept: &mut dyn FnMut() -> UnixStream) -> (UnixStream, BufReader<UnixStream>) {
    let mut stream = accept();
    greet_alone(&mut stream, GREETING);
    let mut input = BufReader::new(stream.try_clone().unwrap());
    read_opening(&mut input);
    (stream, input)
}

fn read_opening(input: &mut impl BufRead) {
    let words = command(input).expect("an opening");
    let words: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
    assert!(words.join(" ").ends_with("body 1 -- import"), "{words:?}");
}

/// Bytes that differ from place to place.
fn text(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from(i * 31 % 251).unwrap()).collect()
}

/// Returns what the reader has left when it is dropped.
struct Left<R: Read>(R, mpsc::Sender<usize>);

impl<R: Read> Read for Left<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read> Drop for Left<R> {
    fn drop(&mut self) {
        let left = io::copy(&mut self.0, &mut io::sink()).unwrap();
        self.1.send(usize::try_from(left).unwrap()).unwrap();
    }
}

#[test]
fn body_arrives_whole_and_connection_is_used_again() {
    let place = Place::new();
    let sizes = [0, 1, 128 * 1024, 128 * 1024 + 1, 3_000_000];
    let server = scripted(&place, move |accept| {
        let (mut stream, mut input) = open(accept);
        for (i, size) in sizes.into_iter().enumerate() {
            if i > 0 {
                read_opening(&mut input);
            }
            let body = std::iter::from_fn(|| part(&mut input)).collect::<Vec<_>>().concat();
            assert!(body == text(size));
            stream.write_all(format!(":{size}\r\n").as_bytes()).unwrap();
        }
    });
    let client = Client::new(place.socket());
    for size in sizes {
        let body = text(size);
        // A reader that gives the bytes in parts of any size, and borrows them.
        let body = body[..size / 3].chain(&body[size / 3..]);
        assert_eq!(client.command("import").body(body).call::<usize>().unwrap(), size);
    }
    server.join().unwrap();
}

#[test]
fn answers_to_a_refused_body_are_no_other_calls() {
    let place = Place::new();
    let server = scripted(&place, |accept| {
        let (mut stream, mut input) = open(accept);
        while part(&mut input).is_some() {}
        // As a daemon does that has not read the command.
        stream.write_all(b"-TOOBIG the command is too long\r\n").unwrap();
        let (mut next, mut input) = open(accept);
        stream.write_all(b"-USAGE data\r\n-USAGE end\r\n").unwrap_err();
        while part(&mut input).is_some() {}
        next.write_all(b":1\r\n").unwrap();
    });
    let client = Client::new(place.socket());
    let error = client.command("import").body(&b"abc"[..]).call::<u64>().unwrap_err();
    assert_eq!(error.failure().unwrap().code(), "TOOBIG");
    assert_eq!(client.command("import").body(&b"abc"[..]).call::<u64>().unwrap(), 1);
    server.join().unwrap();
}

#[test]
fn early_answer_ends_the_upload() {
    let place = Place::new();
    let (sender, ends) = mpsc::channel::<()>();
    let server = scripted(&place, move |accept| {
        let (mut stream, mut input) = open(accept);
        assert!(part(&mut input).is_some());
        let sign: &[u8] = b">3\r\n$7\r\ndockipc\r\n$7\r\nrunning\r\n:1\r\n";
        stream.write_all(&[sign, b":7\r\n"].concat()).unwrap();
        // Nothing more is read.
        ends.recv().unwrap();
        // The next call comes on another connection.
        let (mut stream, mut input) = open(accept);
        assert!(part(&mut input).is_none());
        stream.write_all(b":8\r\n").unwrap();
    });
    let client = Client::new(place.socket());
    let endless = io::repeat(7);
    assert_eq!(client.command("import").body(endless).call::<u64>().unwrap(), 7);
    sender.send(()).unwrap();
    assert_eq!(client.command("import").body(io::empty()).call::<u64>().unwrap(), 8);
    server.join().unwrap();
}

#[test]
fn error_answer_before_the_end_leaves_the_rest_unread() {
    let place = Place::new();
    let server = scripted(&place, move |accept| {
        let (mut stream, _) = open(accept);
        stream.write_all(b"-TOOBIG the body\r\n").unwrap();
        // The connection is closed with unread bytes in it.
    });
    let (sender, left) = mpsc::channel();
    let size = 50_000_000;
    let body = Left(io::repeat(1).take(size), sender);
    let error = Client::new(place.socket()).command("import").body(body).call::<()>().unwrap_err();
    assert_eq!(error.failure().expect("a refusal").code(), "TOOBIG");
    assert!(left.recv().unwrap() > 0);
    server.join().unwrap();
}

#[test]
fn error_of_the_reader_cancels_the_command() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("no disk"))
        }
    }
    let place = Place::new();
    let server = scripted(&place, move |accept| {
        let (_stream, mut input) = open(accept);
        assert_eq!(part(&mut input).map(|part| part.len()), Some(3));
        assert_eq!(command(&mut input), None, "the end of the connection");
    });
    let body = Cursor::new(b"abc").chain(Broken);
    let error = Client::new(place.socket()).command("import").body(body).call::<()>().unwrap_err();
    assert!(matches!(&error, Error::Io { .. }), "{error:?}");
    assert!(error.to_string().contains("reading the body"), "{error}");
    server.join().unwrap();
}

#[test]
fn call_with_a_begun_body_is_not_repeated() {
    let place = Place::new();
    let server = scripted(&place, move |accept| {
        // Nothing of the body was read yet: the next connection gets the call.
        drop(accept());
        let (_stream, mut input) = open(accept);
        assert!(part(&mut input).is_some());
    });
    let client = Client::new(place.socket());
    let body = Cursor::new(text(1000));
    let error = client.command("import").idempotent().body(body).call::<()>().unwrap_err();
    assert!(matches!(error, Error::CutOff { .. }), "{error:?}");
    server.join().unwrap();
}

#[test]
fn daemon_without_bodies_is_not_asked() {
    let place = Place::new();
    let server = scripted(&place, move |accept| {
        let mut stream = accept();
        greet_alone(&mut stream, tests::scripted::WITH_GREETING);
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"");
    });
    let client = Client::new(place.socket()).max_idle(0);
    let error = client.command("import").body(io::empty()).call::<()>().unwrap_err();
    assert!(error.to_string().contains("does not support bodies"), "{error}");
    server.join().unwrap();
}

#[test]
fn items_come_back_while_the_body_is_sent() {
    let place = Place::new();
    let server = scripted(&place, move |accept| {
        let (mut stream, mut input) = open(accept);
        while let Some(part) = part(&mut input) {
            let head = format!(">3\r\n$7\r\ndockipc\r\n$4\r\nitem\r\n${}\r\n", part.len());
            stream.write_all(&[head.as_bytes(), &part, b"\r\n"].concat()).unwrap();
        }
        stream.write_all(b"+OK\r\n").unwrap();
    });
    // Much more than the sockets' buffers hold.
    let body = text(20_000_000);
    let client = Client::new(place.socket());
    let items = client.command("import").body(Cursor::new(body.clone())).stream::<Vec<u8>>();
    let back = items.unwrap().map(Result::unwrap).collect::<Vec<_>>().concat();
    assert!(back == body);
    server.join().unwrap();
}

#[test]
fn canceller_ends_an_upload() {
    let place = Place::new();
    let (sender, begun) = mpsc::channel();
    let server = scripted(&place, move |accept| {
        let (mut stream, mut input) = open(accept);
        assert!(part(&mut input).is_some());
        sender.send(()).unwrap();
        while command(&mut input).is_some() {}
        stream.write_all(b"-CANCELLED asked to stop\r\n").unwrap();
    });
    let client = Client::new(place.socket()).read_timeout(PATIENCE);
    let call = client.command("import");
    let canceller = call.canceller();
    thread::spawn(move || {
        begun.recv().unwrap();
        canceller.cancel();
    });
    let error = call.body(io::repeat(1)).call::<()>().unwrap_err();
    assert_eq!(error.failure().expect("a refusal").code(), "CANCELLED");
    server.join().unwrap();
}
