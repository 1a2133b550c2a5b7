//! Enums with data, tuple structs and generic types that derive `Reply`.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use dockipc::client::Client;
use dockipc::{FromReply, IntoReply, Reply, Server, command};

/// Each kind of a variant.
#[derive(Reply, Clone, Debug, PartialEq)]
enum Shape {
    Point,
    Circle(f64),
    #[dockipc(name = "box")]
    Rectangle {
        width: u32,
        #[dockipc(name = "h")]
        height: Option<u32>,
    },
    Line(i64, i64),
    Group(Vec<Shape>),
    Empty {},
}

/// Knows fewer shapes, and says so.
#[derive(Reply, Debug, PartialEq)]
enum Older {
    Point,
    Circle(f64),
    #[dockipc(other)]
    Unknown,
}

/// Keeps the words that it does not know.
#[derive(Reply, Clone, Debug, PartialEq)]
enum Level {
    Low,
    #[arg(name = "high")]
    Top,
    #[dockipc(other)]
    Other(String),
}

/// Knows no other shape.
#[derive(Reply, Debug, PartialEq)]
enum Strict {
    Point,
    Circle(u8),
}

#[derive(Reply, Clone, Copy, Debug, PartialEq)]
struct Meters(f64);

#[derive(Reply, Clone, Debug, PartialEq)]
struct Pair(String, Option<u8>);

#[derive(Reply, Clone, Copy, Debug, PartialEq)]
struct Done;

#[derive(Reply, Clone, Debug, PartialEq)]
struct Nothing {}

#[derive(Reply, Clone, Debug, PartialEq)]
struct Page<T, const N: usize> {
    items: Vec<T>,
    next: Option<u64>,
    ends: [u8; N],
}

#[derive(Reply, Clone, Debug, PartialEq)]
struct All {
    shapes: Vec<Shape>,
    level: Option<Level>,
    #[dockipc(name = "how-far")]
    far: Meters,
    pair: Pair,
    done: Done,
    page: Page<Meters, 2>,
}

fn shapes() -> Vec<Shape> {
    vec![
        Shape::Point,
        Shape::Circle(1.5),
        Shape::Rectangle { width: 1, height: Some(2) },
        Shape::Rectangle { width: 1, height: None },
        Shape::Line(-1, 1),
        Shape::Group(vec![Shape::Point, Shape::Group(Vec::new())]),
        Shape::Empty {},
    ]
}

#[command("shapes")]
fn all_shapes() -> Vec<Shape> {
    shapes()
}

#[command]
fn shape(index: usize) -> Option<Shape> {
    shapes().into_iter().nth(index)
}

fn all() -> All {
    All {
        shapes: shapes(),
        level: Some(Level::Other("medium".into())),
        far: Meters(0.5),
        pair: Pair("a\tb".into(), None),
        done: Done,
        page: Page { items: vec![Meters(1.0)], next: None, ends: [1, 2] },
    }
}

#[command("all-shapes")]
fn everything() -> All {
    all()
}

#[command]
fn level(word: String) -> Level {
    Level::Other(word).into_reply().parse().unwrap_or(Level::Low)
}

#[command("done")]
fn done() -> Done {
    Done
}

fn client() -> Client {
    let daemon = Server::new().state(AtomicU64::new(0)).spawn_in_process().unwrap();
    let client = daemon.client().clone();
    std::mem::forget(daemon);
    client
}

#[test]
fn variants_are_words_and_maps_of_one_entry() {
    let client = client();
    for (line, answer) in [
        (
            "shapes",
            "point\ncircle\t1.5\nbox\twidth\t1\th\t2\nbox\twidth\t1\th\t\nline\t-1\t1\ngroup\tpoint\tgroup\nempty\n",
        ),
        ("shape 0", "point"),
        ("shape 1", "circle\t1.5\n"),
        ("shape 9", ""),
        ("level high", "high"),
        ("level other", "other"),
        ("done", ""),
    ] {
        assert_eq!(client.send(line).unwrap(), answer.as_bytes(), "{line}");
    }
    let read: Vec<Shape> = client.command("shapes").call().unwrap();
    assert_eq!(read, shapes());
    let read: All = client.command("all-shapes").call().unwrap();
    assert_eq!(read, all());
    client.command("done").call::<Done>().unwrap();
    let entry = |reply: Reply| match reply {
        Reply::Map(mut pairs) if pairs.len() == 1 => pairs.remove(0),
        other => panic!("{other:?}"),
    };
    assert_eq!(Shape::Point.into_reply(), Reply::bytes("point"));
    let circle = Shape::Circle(1.5).into_reply();
    assert_eq!(entry(circle), (Reply::bytes("circle"), Reply::Float(1.5)));
    let line = Reply::List(vec![Reply::Int(1), Reply::Int(2)]);
    assert_eq!(entry(Shape::Line(1, 2).into_reply()), (Reply::bytes("line"), line));
}

#[test]
fn missing_enum_has_the_columns_of_the_widest() {
    let row = vec![(None::<Shape>, 1)].into_reply().into_line();
    // The word, and the four columns of a rectangle.
    assert_eq!(row.escape_ascii().to_string(), "\\t\\t\\t\\t\\t1\\n");
}

#[test]
fn unknown_variants_are_read_as_other() {
    let client = client();
    let read: Vec<Older> = client.command("shapes").call().unwrap();
    assert_eq!(read[..3], [Older::Point, Older::Circle(1.5), Older::Unknown]);
    assert!(read[3..].iter().all(|shape| *shape == Older::Unknown));
    let read: Vec<Level> = client.command("shapes").call().unwrap();
    assert_eq!(read[..2], [Level::Other("point".into()), Level::Other("circle".into())]);
    assert_eq!(Reply::bytes("high").parse::<Level>().unwrap(), Level::Top);
    assert_eq!(Older::Unknown.into_reply(), Reply::bytes("unknown"));
    assert_eq!(Level::Other("x".into()).into_reply(), Reply::bytes("x"));
}

#[test]
fn mismatch_of_a_variant_says_what_was_sent() {
    let message = |reply: Reply| reply.parse::<Strict>().unwrap_err().to_string();
    let list = |items: &[Reply]| Reply::List(items.to_vec());
    let (word, number) = (|text: &str| Reply::bytes(text), Reply::Int(300));
    let wanted = "one of point, circle";
    assert_eq!(message(word("box")), format!(r#"the answer is "box", not {wanted}"#));
    let unknown = message(Reply::map([("box", Reply::Null)]));
    assert_eq!(unknown, format!(r#"the answer is "box", not {wanted}"#));
    // As RESP2 has it.
    assert_eq!(message(list(&[word("circle"), number])), "the answer is the integer 300, not u8");
    assert_eq!(message(word("circle")), "the answer is nothing, not u8");
    let nested = list(&[list(&[]), Reply::Null]);
    assert_eq!(message(nested), format!("the answer is a list of 0, not {wanted}"));
    // A value that this version does not know is no mistake, as an unknown field is none.
    let point = list(&[word("point"), Reply::Int(1)]);
    assert_eq!(point.parse::<Strict>().unwrap(), Strict::Point);
    let short = list(&[word("a")]).parse::<Pair>().unwrap_err().to_string();
    assert_eq!(short, "the answer is a list of 1, not a list of as many items as fields");
}

#[test]
fn description_has_the_variants() {
    let client = client();
    let call = client.command("dockipc").arg("describe").arg("shapes").arg("all-shapes");
    let all: BTreeMap<String, BTreeMap<String, Reply>> = call.call().unwrap();
    let shown = |name: &str| super::answer_types::text(&all[name]["answer"]);
    let rectangle = "struct(fields=[width(of=int(min=0, max=4294967295)), \
                     h(of=optional(of=int(min=0, max=4294967295)))])";
    let int = "int(min=-9223372036854775808, max=9223372036854775807)";
    let shape = format!(
        "union(name=Shape, variants=[point, circle(of=float), box(of={rectangle}), \
         line(of=row(columns=[{int}, {int}])), group(of=list(of=union(name=Shape))), \
         empty(of=struct(fields=[]))])"
    );
    assert_eq!(shown("shapes"), format!("list(of={shape})"));
    let all = shown("all-shapes");
    let level = "level(of=optional(of=enum(name=Level, other=1, words=[low, high])))";
    assert!(all.contains(level), "{all}");
    assert!(all.contains("how-far(of=float)"), "{all}");
    assert!(all.contains("done(of=nothing)"), "{all}");
    assert!(all.contains("page(of=struct(name=Page, fields=[items(of=list(of=float)), "), "{all}");
    assert!(all.contains("pair(of=row(columns=[text, optional(of=int("), "{all}");
}

#[test]
fn generic_type_needs_readable_values_only_to_be_read() {
    fn writes<T: IntoReply>() {}
    fn reads<T: FromReply>() {}
    writes::<Page<&str, 1>>();
    reads::<Page<String, 1>>();
    let empty = Nothing {}.into_reply();
    assert_eq!(empty, Reply::Map(Vec::new()));
    empty.parse::<Nothing>().unwrap();
}
