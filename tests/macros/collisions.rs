//! The names of the generated code do not collide with the author's.

#![allow(
    dead_code,
    non_camel_case_types,
    non_upper_case_globals,
    reason = "names that could collide"
)]

use ::std::sync::atomic::AtomicU64;

use ::dockipc::{Arg, Server, command};

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
struct Reply;
struct Failure;
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

#[derive(Arg)]
enum Word {
    One,
    from_word,
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
}
