//! The names of the generated code do not collide with the author's.

#![allow(
    dead_code,
    non_camel_case_types,
    non_upper_case_globals,
    reason = "names that could collide"
)]

use ::std::sync::atomic::AtomicU64;

use ::dockipc::{Arg, Args, Commands, Failure, Reply, Server, command};

#[derive(Args)]
struct CollidingCommon {
    base: ::std::string::String,
    declared: CollidingChoice,
}

#[derive(Args)]
enum CollidingChoice {
    None,
    Some(u64),
}

#[::dockipc::client]
trait Colliding {
    fn colliding(&self, common: CollidingCommon) -> ::dockipc::Result<()>;
}

#[derive(Commands)]
enum CollidingAction {
    CollidingNone,
    CollidingSome(CollidingCommon),
}

#[command(flatten)]
fn colliding(action: CollidingAction) {
    drop(action);
}

const __args: () = ();
const __value: () = ();
const __default: () = ();
const __request: () = ();
static __0: () = ();
static __1: () = ();
const i: () = ();
const word: () = ();
const value: () = ();
static args: () = ();
static expr: () = ();
struct __PARAMS;
struct str;
struct u8;
struct bool;
struct Result;
struct Option;
struct Some;
struct Ok;
struct Err;
struct usize;
struct IntoReply;
struct Columns;
struct FromReply;
struct Fields;
const __error: () = ();
const __reply: () = ();
const __fields: () = ();
const __word: () = ();
mod core {}
mod std {}
mod dockipc {}

macro_rules! __dockipc {
    () => {};
}

#[command("collides.run")]
fn __run(
    second: Word,
    #[arg(default = ::core::convert::identity(1))] first: u64,
    #[arg(flag)] third: ::core::primitive::bool,
) -> u64 {
    let _ = (second, third);
    first
}

fn __prefix(prefix: &::core::primitive::str) -> Vec<String> {
    vec![prefix.to_owned()]
}

#[command("collides.complete")]
fn complete(#[arg(complete = __prefix)] text: String) -> String {
    text
}

#[derive(Arg, Reply)]
enum Word {
    One,
    from_word,
}

#[derive(Reply)]
struct Row {
    __fields: u64,
    __reply: Word,
}

#[derive(Reply)]
enum Shape {
    Some(u64),
    None {
        __dockipc: u64,
        __word: ::core::option::Option<Word>,
    },
    Ok(u64, Word),
    #[dockipc(other)]
    Err(String),
}

#[derive(Failure)]
enum Mistake {
    #[code("COLLIDED")]
    Ok,
    #[code(transparent)]
    Inner { __error: Inner },
}

#[derive(Failure)]
#[code("INNER")]
struct Inner;

macro_rules! display {
    ($($error:ty)*) => {$(
        impl ::std::fmt::Display for $error {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str("text")
            }
        }
    )*};
}

display! { Mistake Inner }

#[command("collides.row")]
fn row(is_inner: ::core::option::Option<Word>) -> ::core::result::Result<Row, Mistake> {
    match is_inner {
        None => ::core::result::Result::Ok(Row { __fields: 1, __reply: Word::from_word }),
        ::core::option::Option::Some(Word::One) => ::core::result::Result::Err(Mistake::Ok),
        _ => ::core::result::Result::Err(Mistake::Inner { __error: Inner }),
    }
}

/// The macros name every item of the standard library by its path.
mod without_prelude {
    #![no_implicit_prelude]

    #[derive(::dockipc::Arg, ::dockipc::Reply)]
    enum Word {
        One,
    }

    #[derive(::dockipc::Reply)]
    enum Shape {
        Point,
        Circle(::core::primitive::f64),
        Line {
            r#type: ::core::option::Option<Word>,
        },
        #[dockipc(other)]
        Other(::std::string::String),
    }

    #[derive(::dockipc::Reply)]
    struct Row {
        r#type: ::core::option::Option<Word>,
    }

    #[derive(::dockipc::Failure)]
    enum Mistake {
        #[code("PRELUDE")]
        Missing,
    }

    impl ::core::fmt::Display for Mistake {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.write_str("text")
        }
    }

    #[::dockipc::command("collides.prelude")]
    fn row(
        word: ::core::option::Option<Word>,
        #[arg(default = 1)] _n: u8,
    ) -> ::core::result::Result<Row, Mistake> {
        match word {
            ::core::option::Option::None => ::core::result::Result::Err(Mistake::Missing),
            r#type => ::core::result::Result::Ok(Row { r#type }),
        }
    }
}

#[derive(Arg)]
#[arg(from_str)]
struct Number(u64);

impl ::core::str::FromStr for Number {
    type Err = ::core::num::ParseIntError;

    fn from_str(text: &::core::primitive::str) -> ::core::result::Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[command("collides.number")]
fn number(number: Number) -> u64 {
    number.0
}

#[test]
fn generated_names_do_not_collide_with_the_authors() {
    // A command of `silent` requires the state.
    let daemon = Server::new().state(AtomicU64::new(0)).spawn_in_process().unwrap();
    let client = daemon.client();
    assert_eq!(client.send("collides.run from-word 1 --third").unwrap(), b"1");
    assert_eq!(client.send("collides.number 2").unwrap(), b"2");
    assert_eq!(client.send("collides.complete a").unwrap(), b"a");
    assert_eq!(client.send("collides.row").unwrap(), b"__fields\t1\n__reply\tfrom-word\n");
    assert_eq!(client.send("collides.prelude one").unwrap(), b"type\tone\n");
    for (line, error) in [
        ("collides.row one", "COLLIDED text"),
        ("collides.row from-word", "INNER text"),
        ("collides.prelude", "PRELUDE text"),
    ] {
        assert_eq!(client.send(line).unwrap_err().to_string(), error, "{line}");
    }
}
