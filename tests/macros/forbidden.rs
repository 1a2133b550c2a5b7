//! The macros generate no `allow` that conflicts with a `forbid` of the author's.

#![forbid(
    deprecated,
    missing_docs,
    unsafe_code,
    unused,
    unused_qualifications,
    unreachable_pub,
    unused_results,
    rust_2018_idioms,
    clippy::all,
    clippy::pedantic,
    clippy::absolute_paths,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::as_conversions,
    clippy::default_numeric_fallback,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::let_underscore_must_use,
    clippy::panic,
    clippy::pattern_type_mismatch,
    clippy::question_mark_used,
    clippy::shadow_unrelated,
    clippy::unreachable,
    clippy::unwrap_used
)]

use std::fmt;
use std::net::{AddrParseError, IpAddr};
use std::str::FromStr;
use std::sync::atomic::AtomicU64;

use dockipc::{Arg, Args, Commands, Failure, Reply, Server, State, command};

/// Parameters.
#[derive(Args)]
pub struct Common {
    /// The first.
    pub name: String,
    /// The second.
    pub choice: Choice,
}

/// One of them.
#[derive(Args)]
pub enum Choice {
    /// By its number.
    Number(u64),
    /// All.
    All,
}

/// Commands.
#[derive(Commands)]
pub enum ForbiddenAction {
    /// Nothing.
    ForbiddenNothing,
    /// Something.
    ForbiddenSome(Common),
}

#[command(flatten)]
fn forbidden_action(action: ForbiddenAction) -> u64 {
    match action {
        ForbiddenAction::ForbiddenNothing => 0,
        ForbiddenAction::ForbiddenSome(common) => {
            drop(common);
            1
        }
    }
}

/// A word.
#[derive(Arg)]
pub enum Word {
    /// One.
    One,
}

/// An answer.
#[derive(Reply)]
pub struct Answer {
    /// A number.
    pub number: u64,
}

/// An answer of one word.
#[derive(Reply)]
pub enum WordAnswer {
    /// One.
    One,
}

/// An error.
#[derive(Failure)]
pub enum Mistake {
    /// With a code.
    #[code("SMALL")]
    Small,
    /// With that of another.
    #[code(transparent)]
    Boxed(Box<Self>),
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mistake")
    }
}

/// An address.
#[derive(Arg)]
#[arg(from_str)]
pub struct Address(
    /// The address.
    pub IpAddr,
);

impl FromStr for Address {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Uses parameters and keys.
///
/// # Errors
/// Never.
#[command("forbidden", alias = "forbade", allow = "any")]
pub fn forbidden(
    _total: State<AtomicU64>,
    _word: Word,
    #[arg(default = 3)] n: u8,
    #[arg(long, default = u8::MAX)] _most: u8,
    #[arg(complete = words)] _maybe: Option<Address>,
    #[arg(rest, default = "")] _text: &str,
    #[arg(flag)] _loud: bool,
) -> Result<u8, Failure> {
    Ok(n)
}

/// A client's trait.
#[dockipc::client]
pub trait Client {
    /// A method.
    ///
    /// # Errors
    /// Those of a call.
    fn forbidden(&self, n: u8, #[arg(flag)] loud: bool) -> dockipc::Result<u8>;
}

fn words(_: &str) -> Vec<String> {
    Vec::new()
}

#[test]
fn forbidden_lints_do_not_conflict_with_the_macros() {
    let answer = Server::new()
        .state(AtomicU64::new(0))
        .spawn_in_process()
        .and_then(|daemon| daemon.client().send("forbade one"));
    assert_eq!(answer.ok().as_deref(), Some(&b"3"[..]));
}
