//! Bodies of items.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};

use dockipc::{Body, Client, Error, Failure, Reply, Server, State, Stream, command};
use tests::gate::Gate;
use tests::process::until;
use tests::{Daemon, exchange, expect, resp, rest};

use super::states::{Ends, Reading, data, end, opened};

#[derive(Reply, Clone, Debug, PartialEq)]
enum Mark {
    Plain,
    #[dockipc(name = "due")]
    DueIn(u64),
    Place {
        x: i64,
        y: i64,
    },
}

#[derive(Reply, Clone, Debug, PartialEq)]
struct Note {
    id: u64,
    text: String,
    mark: Option<Mark>,
    tags: Vec<String>,
}

#[derive(Reply, Clone, Debug, PartialEq)]
#[dockipc(table)]
struct Point {
    x: i64,
    y: Option<i64>,
}

/// Answer with the items as they are read.
#[command]
fn import_notes(
    /// The notes.
    notes: Body<Note>,
) -> Result<Vec<String>, Failure> {
    notes.map(|note| Ok(format!("{:?}", note?))).collect()
}

/// Answer with the sum of the numbers.
#[command]
fn sum_items(numbers: Body<u64>) -> Result<u64, Failure> {
    let mut sum = 0;
    for number in numbers {
        sum += number?;
    }
    Ok(sum)
}

/// Answer with each number, or with why it can't be read.
#[command]
fn try_items(numbers: Body<u64>) -> Vec<String> {
    numbers
        .map(|number| match number {
            Ok(number) => number.to_string(),
            Err(failure) => format!("{} {}", failure.code(), failure.message()),
        })
        .collect()
}

/// Pass the gate, and tell the test how the items end.
#[command]
fn wait_and_count(gate: State<Gate>, ends: State<Ends>, numbers: Body<u64>) {
    gate.pass();
    let mut count = 0;
    let error = numbers.map(|number| number.map(|_| count += 1)).find_map(Result::err);
    ends.tell(&error.map_or(Ok(count), |failure| {
        let is_cut = failure.code() == "INCOMPLETE";
        Err(if is_cut { ErrorKind::UnexpectedEof } else { ErrorKind::Other }.into())
    }));
}

#[derive(Reply, Clone, Debug, PartialEq)]
struct Tags {
    tags: Vec<String>,
}

#[derive(Reply, Clone, Debug, PartialEq)]
#[dockipc(table)]
struct Labels {
    labels: Vec<String>,
}

#[derive(Reply, Clone, Debug, PartialEq)]
struct Counts {
    counts: Option<BTreeMap<String, u8>>,
}

/// Answer with the lists.
#[command]
fn list_tags() -> Stream<Tags> {
    Stream::iter(tags())
}

/// Answer with the items as they are read.
#[command]
fn import_tags(items: Body<Tags>) -> Result<Vec<String>, Failure> {
    items.map(|item| Ok(format!("{:?}", item?))).collect()
}

/// Answer with the items as they are read.
#[command]
fn import_counts(items: Body<Counts>) -> Result<Vec<String>, Failure> {
    items.map(|item| Ok(format!("{:?}", item?))).collect()
}

/// Answer with the items as they are read.
#[command]
fn import_labels(items: Body<Labels>) -> Result<Vec<String>, Failure> {
    items.map(|item| Ok(format!("{:?}", item?))).collect()
}

fn tags() -> Vec<Tags> {
    [&[][..], &["a"], &[], &["", ""]]
        .map(|tags| Tags { tags: tags.iter().map(ToString::to_string).collect() })
        .into()
}

/// Answer with the points.
#[command]
fn import_points(points: Body<Point>) -> Stream<Result<Point, Failure>> {
    Stream::iter(points)
}

/// Answer with the texts.
#[command]
fn import_texts(texts: Body<String>) -> Result<Vec<usize>, Failure> {
    texts.map(|text| Ok(text?.len())).collect()
}

/// Answer with the notes.
#[command]
fn list_notes() -> Stream<Note> {
    Stream::iter(notes())
}

/// Answer with the rows.
#[command]
fn import_rows(rows: Body<(u64, String)>) -> Result<Vec<(String, u64)>, Failure> {
    rows.map(|row| row.map(|(id, text)| (text, id))).collect()
}

fn notes() -> Vec<Note> {
    let note = |id, text: &str, mark, tags: &[&str]| Note {
        id,
        text: text.into(),
        mark,
        tags: tags.iter().map(ToString::to_string).collect(),
    };
    vec![
        note(1, "buy\tmilk\r\n\\", None, &[]),
        note(2, "", Some(Mark::Plain), &["a", ""]),
        note(3, "ü", Some(Mark::DueIn(7)), &["x y"]),
        note(4, "text", Some(Mark::Place { x: -1, y: 1 }), &["z"]),
    ]
}

fn debugged(notes: &[Note]) -> Vec<String> {
    notes.iter().map(|note| format!("{note:?}")).collect()
}

fn start(server: Server) -> (Daemon, Client) {
    let it = Reading::start(server);
    let client = Client::new(it.daemon.path());
    (it.daemon, client)
}

/// Returns the message of an error answer without the usage.
fn reason(error: &Error) -> String {
    error.failure().unwrap().message().split(';').next().unwrap().to_owned()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn items_of_our_client_stay_as_they_are() {
    let (_daemon, client) = start(Server::new());
    let got: Vec<String> = client.command("import-notes").items(notes()).call().unwrap();
    assert_eq!(got, debugged(&notes()));
    let none: Vec<String> =
        client.command("import-notes").items(Vec::<Note>::new()).call().unwrap();
    assert_eq!(none, [""; 0]);
    let points = [Point { x: 1, y: None }, Point { x: -2, y: Some(0) }];
    let call = client.command("import-points").items(points.clone());
    let got: Vec<Point> = call.stream().unwrap().map(Result::unwrap).collect();
    assert_eq!(got, points);
}

#[test]
fn item_longer_than_a_frame_is_whole() {
    let (_daemon, client) = start(Server::new());
    let sizes = [0, 131_060, 131_072, 131_073, 1_000_000];
    let texts = sizes.map(|size| "é".repeat(size / 2));
    let got: Vec<usize> = client.command("import-texts").items(texts.clone()).call().unwrap();
    assert_eq!(got, texts.map(|text| text.len()));
}

#[test]
fn each_line_is_an_item() {
    let (daemon, _) = start(Server::new());
    let ask = |bytes: &[u8]| text(exchange(daemon.connect(), bytes));
    let line = "import-rows\n1\tbuy\\tmilk\\\\\n2\t\r\n";
    assert_eq!(ask(line.as_bytes()), "buy\\tmilk\\\\\t1\n\t2\n");
    assert_eq!(ask(b"sum-items\n"), "0");
    assert_eq!(ask(b"sum-items\n1\n2\n"), "3");
    // Stays what it is in a Redis client's last word, which may lack the last newline.
    let word = |body: &str| ask(&resp(&["sum-items", body]));
    assert_eq!([word("1\n2"), word("1\n2\n"), word("")], [":3\r\n", ":3\r\n", ":0\r\n"]);
    let call = [opened(&["sum-items"]), data("1"), data("0\n\n"), end()].concat();
    let mut stream = daemon.connect();
    stream.write_all(&call).unwrap();
    let usage = "usage: sum-items <numbers>";
    expect(
        &mut stream,
        format!("-USAGE bad item 2: expected u64, got \"\"; {usage}\r\n").as_bytes(),
    );
}

#[test]
fn rows_of_a_stream_are_items_again() {
    let (daemon, client) = start(Server::new());
    let rows = exchange(daemon.connect(), b"list-notes\n");
    let got = client.command("import-notes").body(&rows[..]).call::<Vec<String>>().unwrap();
    assert_eq!(got, debugged(&notes()));
}

#[test]
fn struct_has_its_names_in_the_row_or_above() {
    let (daemon, client) = start(Server::new());
    let points = |lines: &str| {
        let points = client.command("import-points").body(lines.as_bytes()).call::<Vec<Point>>();
        points.map_err(|error| reason(&error))
    };
    let expected = Ok(vec![Point { x: 1, y: None }, Point { x: 2, y: Some(3) }]);
    assert_eq!(points("x\ty\n1\t\n2\t3\n"), expected);
    assert_eq!(points("1\t\n2\t3\n"), expected);
    let rows = exchange(daemon.connect(), b"import-points\n1\t\n2\t3\n");
    assert_eq!(points(&text(rows)), expected);
    let wrong = |lines: &str| points(lines).unwrap_err();
    assert_eq!(wrong("1\t2\n1\n"), "bad item 2: too few columns");
    assert_eq!(wrong("1\t2\t3\n"), "bad item 1: unexpected column \"3\"");
    assert_eq!(wrong("1\tx\n"), "bad item 1: expected i64, got \"x\" in `y`");
    let note = |lines: &[u8]| {
        let answer = client.command("import-notes").body(lines).call::<Vec<String>>();
        answer.map_err(|error| reason(&error))
    };
    let plain = "Note { id: 1, text: \"a\", mark: None, tags: [\"t\"] }";
    let header = b"id\ttext\tmark\t\t\t\t\ttags\n1\ta\t\t\t\t\t\tt\n";
    assert_eq!(note(header), Ok(vec![plain.into()]));
    let wrong = "bad item 1: expected the field `id`, got \"1\"";
    assert_eq!(note(b"1\ta\n"), Err(wrong.into()));
}

#[test]
fn name_of_an_empty_list_is_no_header() {
    let (daemon, client) = start(Server::new());
    let rows = exchange(daemon.connect(), b"list-tags\n");
    assert!(rows.starts_with(b"tags\n"));
    let got = client.command("import-tags").body(&rows[..]).call::<Vec<String>>().unwrap();
    assert_eq!(got, tags().iter().map(|item| format!("{item:?}")).collect::<Vec<_>>());
    let lines = &b"counts\ncounts\t\n"[..];
    let got = client.command("import-counts").body(lines).call::<Vec<String>>().unwrap();
    assert_eq!(got, ["Counts { counts: Some({}) }", "Counts { counts: None }"]);
    let lines = &b"labels\nlabels\n\na\t\n"[..];
    let got = client.command("import-labels").body(lines).call::<Vec<String>>().unwrap();
    let lists = [r#"["labels"]"#, "[]", r#"["a", ""]"#];
    assert_eq!(got, lists.map(|list| format!("Labels {{ labels: {list} }}")));
}

#[test]
fn bad_item_has_a_number_and_the_next_is_read() {
    let (daemon, client) = start(Server::new().max_command(100));
    let bad = exchange(daemon.connect(), b"try-items\n1\nx\n3\n\\q\n1\t2\n\xff\n");
    assert_eq!(
        text(bad),
        "1\nUSAGE bad item 2: expected u64, got \"x\"\n3\n\
         USAGE bad item 4: \"\\\\\\\\q\" has a backslash that escapes nothing: write it as \\\\\\\\\n\
         USAGE bad item 5: unexpected column \"2\"\n\
         USAGE bad item 6: expected u64, got \"\\\\xff\"\n"
    );
    let items = client.command("try-items").items(["1", "x", "3"]).call::<Vec<String>>().unwrap();
    assert_eq!(items, ["1", "USAGE bad item 2: expected u64, got \"x\"", "3"]);
    let failure = client.command("sum-items").items(["1", "x"]).call::<u64>().unwrap_err();
    let expected = "bad item 2: expected u64, got \"x\"; usage: sum-items <numbers>";
    assert_eq!(failure.failure().unwrap().message(), expected);
    assert_eq!(failure.failure().unwrap().code(), "USAGE");
}

#[test]
fn item_over_the_limit_ends_the_items() {
    let (daemon, client) = start(Server::new().max_command(100));
    let too_big = ["7", "TOOBIG item 2 is longer than 100 bytes"];
    let long = "9".repeat(101);
    let lines = format!("try-items\n7\n{long}\n8\n");
    assert_eq!(text(exchange(daemon.connect(), lines.as_bytes())), too_big.join("\n") + "\n");
    let items = client.command("try-items").items(["7", &long, "8"]).call::<Vec<String>>();
    assert_eq!(items.unwrap(), too_big);
    let deep: Vec<_> = (0..30).map(|_| vec![0_u64]).collect();
    let items = client.command("try-items").items([vec![vec![7]], deep]).call::<Vec<String>>();
    let items = items.unwrap();
    assert_eq!(items[0], "USAGE bad item 1: expected u64, got a list of 1");
    assert_eq!(items[1..], too_big[1..]);
}

#[test]
fn item_that_is_cut_is_no_end() {
    let (daemon, _) = start(Server::new());
    let cut = "7\nINCOMPLETE item 2 is cut off: its line has no newline\n";
    assert_eq!(text(exchange(daemon.connect(), b"try-items\n7\n8")), cut);
    // As values.
    let with = |parts: &[&[u8]]| {
        let opening = resp(&["dockipc", "with", "body", "items", "--", "try-items"]);
        let parts: Vec<_> = parts.iter().flat_map(data).collect();
        let mut stream = daemon.connect();
        stream.write_all(&[opening, parts, end(), resp(&["quit"])].concat()).unwrap();
        text(rest(stream))
    };
    assert_eq!(with(&[b":7", b"\r\n"]), "*1\r\n$1\r\n7\r\n+OK\r\n");
    assert!(with(&[b":7\r\n$1"]).contains("INCOMPLETE item 2 is cut off\r\n"));
    assert!(with(&[b":7\r\n?1\r\n"]).contains("PROTO item 2 is not RESP: \"?1\\r\\n\"\r\n"));
    assert!(
        with(&[b"*1\r\n".repeat(70).as_slice(), b":1\r\n"]).contains("PROTO item 1 is not RESP")
    );
}

#[test]
fn client_that_leaves_ends_the_items_with_an_error() {
    let it = Reading::start(Server::new());
    it.gate.open();
    let body = [data("1\n2\n34\n"), data("5\n"), end()].concat();
    for at in 0..body.len() {
        let mut stream = it.daemon.connect();
        stream.write_all(&opened(&["wait-and-count"])).unwrap();
        until("a command that runs", || it.gate.came() > at);
        stream.write_all(&body[..at]).unwrap();
        drop(stream);
        assert_eq!(it.end(), Err(ErrorKind::UnexpectedEof), "cut at {at}");
    }
}

#[test]
fn error_of_the_iterator_cancels_the_call() {
    let (_daemon, client) = start(Server::new());
    let items = [Ok(1), Err("no further number")];
    let error = client.command("sum-items").items(items).call::<u64>().unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
    assert!(error.to_string().contains("no further number"), "{error}");
    assert_eq!(client.command("ping").call::<String>().unwrap(), "PONG");
}

#[test]
fn body_of_bytes_refuses_items() {
    let (_daemon, client) = start(Server::new());
    let error = client.command("measure").items([1]).call::<String>().unwrap_err();
    let message = error.failure().unwrap().message();
    assert!(message.starts_with("the body is bytes, and not items: send it as bytes"), "{message}");
    assert_eq!(client.command("ping").call::<String>().unwrap(), "PONG");
}

#[test]
fn million_items_take_little_memory() {
    let (_daemon, client) = start(Server::new());
    let count = 1_000_000_u64;
    let before = tests::process::resident();
    let sum: u64 = client.command("sum-items").items(0..count).call().unwrap();
    assert_eq!(sum, count * (count - 1) / 2);
    let lines: String = (0..count).map(|n| n.to_string() + "\n").collect();
    let sum: u64 = client.command("sum-items").body(lines.as_bytes()).call().unwrap();
    assert_eq!(sum, count * (count - 1) / 2);
    let grown = tests::process::resident().saturating_sub(before);
    assert!(grown < lines.len() + (16 << 20), "{grown}");
}

#[test]
fn description_has_the_type_of_the_items() {
    let (daemon, _) = start(Server::new());
    let help = text(exchange(daemon.connect(), b"help import-notes\n"));
    let line =
        "<notes>  The notes; a line for each item: the last word, or all that follows a line\n";
    assert!(help.contains(line), "{help}");
    let described = text(exchange(daemon.connect(), &resp(&["dockipc", "describe", "sum-items"])));
    let of = "$4\r\ntype\r\n$5\r\nitems\r\n";
    assert!(described.contains(of), "{described}");
    assert!(described.contains("$2\r\nof\r\n*6\r\n$4\r\ntype\r\n$3\r\nint\r\n"), "{described}");
}

#[test]
fn function_takes_items_or_lines() {
    assert_eq!(sum_items(Body::iter([1, 2, 3])).ok(), Some(6));
    assert_eq!(sum_items(Body::rows(&b"1\n2\n"[..])).ok(), Some(3));
    assert_eq!(import_notes(Body::iter(notes())).ok(), Some(debugged(&notes())));
    assert!(sum_items(Body::rows(&b"1\nx\n"[..])).is_err());
}
