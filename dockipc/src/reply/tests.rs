//! Any value of a type that derives `Reply` comes back as it was, from RESP2 and RESP3, and inside of JSON and
//! `MessagePack`.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::{FromReply, IntoReply};
use crate::wire::check::encoded;
use crate::wire::{Protocol, answer};

/// Each kind of field.
#[derive(dockipc::Reply, Clone, Debug, PartialEq)]
#[cfg_attr(
    any(feature = "json", feature = "msgpack"),
    derive(serde::Serialize, serde::Deserialize)
)]
struct Everything {
    small: i8,
    large: u64,
    float: f64,
    is_on: bool,
    letter: char,
    text: String,
    bytes: Vec<u8>,
    #[dockipc(name = "may-be")]
    maybe: Option<String>,
    took: Duration,
    at: SystemTime,
    pair: Pair,
    wrapped: Wrapped,
    shapes: Vec<Shape>,
    by_name: BTreeMap<String, Shape>,
    by_number: BTreeMap<i64, Vec<Pair>>,
    rows: Vec<(u16, Option<Shape>)>,
    page: Page<Shape>,
    nothing: (),
}

#[derive(dockipc::Reply, Clone, Debug, PartialEq)]
#[cfg_attr(
    any(feature = "json", feature = "msgpack"),
    derive(serde::Serialize, serde::Deserialize)
)]
struct Pair(String, Option<f64>);

#[derive(dockipc::Reply, Clone, Debug, PartialEq)]
#[cfg_attr(
    any(feature = "json", feature = "msgpack"),
    derive(serde::Serialize, serde::Deserialize)
)]
struct Wrapped(Vec<String>);

#[derive(dockipc::Reply, Clone, Debug, PartialEq)]
#[cfg_attr(
    any(feature = "json", feature = "msgpack"),
    derive(serde::Serialize, serde::Deserialize)
)]
#[dockipc(table)]
struct Page<T> {
    items: Vec<T>,
    next: Option<u64>,
}

#[derive(dockipc::Reply, Clone, Debug, PartialEq)]
#[cfg_attr(
    any(feature = "json", feature = "msgpack"),
    derive(serde::Serialize, serde::Deserialize)
)]
enum Shape {
    Point,
    Circle(f64),
    Named(String),
    Maybe(Option<u8>),
    Line(i64, i64),
    Rectangle { width: u32, label: Option<String> },
    Group(Vec<Shape>),
}

/// Beyond 64 bits.
#[derive(dockipc::Reply, Clone, Copy, Debug, PartialEq)]
struct Huge {
    unsigned: u128,
    signed: i128,
}

fn shape() -> impl Strategy<Value = Shape> {
    let float = -1e300..1e300;
    let leaf = prop_oneof![
        Just(Shape::Point),
        float.prop_map(Shape::Circle),
        any::<String>().prop_map(Shape::Named),
        any::<Option<u8>>().prop_map(Shape::Maybe),
        any::<(i64, i64)>().prop_map(|(from, to)| Shape::Line(from, to)),
        any::<(u32, Option<String>)>().prop_map(|(width, label)| Shape::Rectangle { width, label }),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| vec(inner, 0..4).prop_map(Shape::Group))
}

fn pair() -> impl Strategy<Value = Pair> {
    (any::<String>(), option::of(-1e9..1e9)).prop_map(|(text, number)| Pair(text, number))
}

fn everything() -> impl Strategy<Value = Everything> {
    let scalars = (any::<i8>(), any::<u64>(), -1e300..1e300, any::<bool>(), any::<char>());
    let texts = (any::<String>(), any::<Vec<u8>>(), any::<Option<String>>());
    let times = (0..u64::from(u32::MAX), 0..1_000_000_000_u32);
    let times = times.prop_map(|(seconds, nanos)| Duration::new(seconds, nanos));
    let nested = (
        pair(),
        any::<Vec<String>>().prop_map(Wrapped),
        vec(shape(), 0..3),
        btree_map(any::<String>(), shape(), 0..3),
        btree_map(any::<i64>(), vec(pair(), 0..3), 0..3),
        vec((any::<u16>(), option::of(shape())), 0..3),
        (vec(shape(), 0..2), any::<Option<u64>>()),
    );
    (scalars, texts, times, nested).prop_map(|(scalars, texts, took, nested)| {
        let (small, large, float, is_on, letter) = scalars;
        let (text, bytes, maybe) = texts;
        let (pair, wrapped, shapes, by_name, by_number, rows, (items, next)) = nested;
        let (at, page) = (SystemTime::UNIX_EPOCH + took, Page { items, next });
        Everything {
            small,
            large,
            float,
            is_on,
            letter,
            text,
            bytes,
            maybe,
            took,
            at,
            pair,
            wrapped,
            shapes,
            by_name,
            by_number,
            rows,
            page,
            nothing: (),
        }
    })
}

/// Encodes a value as the daemon does, and reads it as the client does.
fn sent<T: IntoReply + FromReply>(value: T, protocol: Protocol) -> T {
    let bytes = encoded(&value.into_reply(), protocol);
    answer::read(&bytes).unwrap().parse().unwrap()
}

fn check<T: IntoReply + FromReply + Clone + PartialEq + std::fmt::Debug>(value: &T) {
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        assert_eq!(sent(value.clone(), protocol), *value, "{protocol:?}");
    }
}

proptest! {
    #[test]
    fn any_derived_value_comes_back(value in everything(), huge in any::<(u128, i128)>()) {
        check(&value);
        check(&vec![value.page.clone()]);
        check(&value.shapes.first().cloned());
        check(&Huge { unsigned: huge.0, signed: huge.1 });
        #[cfg(feature = "json")]
        check(&crate::json::Json(value.clone()));
        #[cfg(feature = "msgpack")]
        check(&crate::msgpack::MsgPack(value));
    }
}
