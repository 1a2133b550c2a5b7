//! Every form of the macros generates code without lints and without `unsafe`.

#![deny(
    warnings,
    missing_docs,
    unused_qualifications,
    elided_lifetimes_in_paths,
    unreachable_pub,
    missing_debug_implementations,
    single_use_lifetimes,
    unused_lifetimes,
    let_underscore_drop,
    trivial_casts,
    clippy::all,
    clippy::pedantic,
    clippy::absolute_paths,
    clippy::disallowed_types
)]
#![forbid(unsafe_code)]
// These two lints concern the functions below, not the generated code.
#![allow(clippy::needless_pass_by_value, clippy::too_many_arguments)]

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::net::IpAddr;
use std::num::ParseIntError;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use dockipc::client::Items;
use dockipc::{
    Arg, Args, Commands, Failure, IntoReply, Peer, Reply, Request, Server, State, command,
};

/// A color.
#[derive(Arg, Debug, Clone, Copy)]
pub enum Color {
    /// Red.
    Red,
    /// Dark blue.
    DarkBlue,
    /// Another.
    #[arg(name = "other")]
    Rest,
}

/// An old color.
#[deprecated = "it is old"]
#[derive(Arg, Debug)]
pub enum OldColor {
    /// Gray.
    #[deprecated = "it is very old"]
    Gray,
}

/// An old number.
#[deprecated = "it is old"]
#[derive(Arg, Debug)]
#[arg(from_str)]
pub struct OldNumber(u64);

#[expect(deprecated, reason = "the implementation names the type")]
impl FromStr for OldNumber {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A number.
#[derive(Arg, Debug)]
#[arg(from_str, crate = dockipc)]
pub struct Number(u64);

impl FromStr for Number {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// An answer with fields.
#[derive(Reply, Debug)]
#[dockipc(crate = dockipc)]
pub struct Fields<'f> {
    /// A number.
    pub number: u64,
    /// Text.
    pub r#type: &'f str,
    /// A deprecated field.
    #[deprecated]
    pub old: u8,
}

/// An answer of one word.
#[derive(Reply, Arg, Debug)]
#[deprecated]
pub enum OldWord {
    /// With a word.
    #[arg(name = "word")]
    Own,
    /// With a deprecated name.
    #[deprecated]
    Old,
}

/// An answer with a word or a value.
#[derive(Reply, Debug)]
#[deprecated]
pub enum OldShape<T> {
    /// Nothing.
    Empty,
    /// A field with a deprecated name.
    Square {
        /// Its side.
        #[deprecated]
        side: T,
    },
    /// A deprecated name.
    #[deprecated]
    Pair(T, u8),
    /// Another.
    #[dockipc(other)]
    #[deprecated]
    Other(String),
}

/// An answer of two columns.
#[derive(Reply, Debug)]
pub struct Point(pub u8, #[deprecated] pub u8);

/// An error with codes.
#[derive(Failure, Debug)]
#[code("OTHER", crate = dockipc)]
pub enum Mistake {
    /// With a code.
    #[code("SMALL")]
    Small,
    /// With the type's code, and a field.
    Large {
        /// The size.
        size: u64,
    },
    /// With a deprecated name.
    #[deprecated]
    Old(u8),
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// An error with a code and a deprecated name.
#[derive(Failure, Debug)]
#[code("OLD")]
#[deprecated]
pub struct OldMistake;

#[command]
const fn nothing() {}

/// With a name.
#[command("named")]
fn with_name() {}

/// With every key.
///
/// Help.
#[command("full", alias = "whole", alias = "all", hidden, idempotent, crate = dockipc)]
#[must_use]
pub fn everything() -> &'static str {
    "everything"
}

#[command]
fn injected(
    total: State<AtomicU64>,
    same: &State<AtomicU64>,
    peer: Peer,
    also: &Peer,
    request: &Request<'_>,
) -> String {
    let totals = total.fetch_add(1, Relaxed) + same.load(Relaxed);
    format!("{totals} {} {} {}", peer.uid(), also.gid(), request.id())
}

#[command]
fn words(
    /// A doc comment.
    text: &str,
    bytes: &[u8],
    color: Color,
    number: Number,
    #[arg(from_str)] address: IpAddr,
    maybe: Option<&str>,
    list: Vec<u64>,
) -> String {
    format!("{text}{}{color:?}{}{address}{maybe:?}{}", bytes.len(), number.0, list.len())
}

#[command]
fn options(
    #[arg(flag)] loud: bool,
    /// A doc comment.
    #[arg(flag = "very")]
    quiet: bool,
    #[arg(long)] times: u8,
    #[arg(long = "size", default = 3)] width: u8,
    #[arg(long)] more: Vec<PathBuf>,
    #[arg(long)] maybe: Option<char>,
    #[arg(long, default = -1)] negative: i64,
    #[arg(default = "red")] color: Color,
    #[arg(default = Duration::from_secs(3) + Duration::ZERO)] wait: Duration,
    #[arg(from_str, default = "::1")] address: IpAddr,
    #[arg(from_str)] second: Option<IpAddr>,
    #[arg(rest, default = "")] text: &str,
) -> String {
    format!(
        "{loud}{quiet}{times}{width}{}{maybe:?}{negative}{color:?}{wait:?}{address}{second:?}{text}",
        more.len()
    )
}

#[command]
fn failing(mut n: u64, #[expect(unused_variables)] ignored: u64) -> Result<Option<u64>, Failure> {
    n += 1;
    if n > 1 { Ok(Some(n)) } else { Err(Failure::new("SMALL", "too small")) }
}

#[command]
fn map() -> BTreeMap<String, Vec<u8>> {
    BTreeMap::new()
}

#[command]
fn borrowed(text: &str) -> Option<&str> {
    text.get(1..)
}

#[command]
fn hidden_type() -> impl IntoReply {
    Reply::Null
}

#[command]
#[deprecated = "it is old"]
fn old() {}

/// An old type.
#[deprecated = "it is old"]
#[derive(Debug)]
pub struct Old;

#[expect(deprecated, reason = "the implementation names the type")]
impl IntoReply for Old {
    fn into_reply(self) -> Reply {
        Reply::Ok
    }
}

#[command]
#[expect(deprecated, reason = "the attribute covers the function, not the generated code")]
fn old_answer() -> Old {
    Old
}

#[command]
#[allow(deprecated, reason = "the parameter's type is old")]
fn old_parameter(color: OldColor, #[arg(from_str)] number: OldNumber) -> String {
    format!("{color:?}{}", number.0)
}

#[command]
#[cfg(not(unix))]
fn elsewhere(missing: NoSuchType) {}

#[command]
#[must_use]
#[inline]
fn must_use() -> u64 {
    1
}

#[command]
fn r#type(r#fn: u64) -> u64 {
    r#fn
}

/// Parameters of several commands.
#[derive(Args, Debug)]
pub struct Common {
    /// A word.
    pub word: Color,
    /// Options.
    pub more: More,
    /// An address.
    #[arg(from_str, long)]
    pub address: Option<IpAddr>,
}

/// Options.
#[derive(Args, Debug)]
pub struct More {
    #[arg(long, default = 1 + 1)]
    times: u64,
    #[arg(flag)]
    loud: bool,
}

/// One of them.
#[derive(Args, Debug)]
pub enum Choice {
    /// By its name.
    Named {
        /// The name.
        name: String,
    },
    /// All.
    All,
    /// The rest.
    Rest(Vec<u64>),
}

/// Commands.
#[derive(Commands, Debug)]
#[command(prefix = "action")]
pub enum Action {
    /// Say something.
    Say(Common),
    /// Choose.
    #[command("choose", alias = "pick", hidden, idempotent, allow = "any")]
    Choice {
        /// How.
        choice: Choice,
        /// How often.
        #[arg(long)]
        times: Option<u64>,
    },
    /// Nothing.
    Nothing,
}

#[command]
fn action(peer: Peer, action: Action) -> String {
    drop(peer);
    format!("{action:?}")
}

#[command]
fn common(common: Common, choice: Option<Choice>) -> String {
    format!("{common:?} {choice:?}")
}

/// Commands in a module of their own.
mod inner {
    use dockipc::command;

    #[command("inner.private")]
    fn private() {}

    #[command("inner.public")]
    pub(super) fn public() {}
}

/// Commands that a declarative macro writes.
macro_rules! constant {
    ($name:ident $value:literal) => {
        #[command]
        fn $name(#[arg(default = $value)] value: u64) -> u64 {
            value
        }
    };
}

constant! { seven 7 }

/// A client's trait.
#[dockipc::client]
pub trait SilentClient {
    /// Each kind of parameter.
    ///
    /// # Errors
    /// Those of a call.
    #[command("seven", idempotent)]
    fn every(
        &self,
        n: u64,
        #[arg(long)] times: Option<&str>,
        #[arg(flag)] loud: bool,
        #[arg(absolute)] path: &Path,
        #[arg(long, caller = "cwd")] directory: Option<PathBuf>,
        #[arg(long, caller = "env")] variables: &BTreeMap<String, String>,
        #[arg(rest)] text: &str,
    ) -> dockipc::Result<u8>;

    /// A body.
    ///
    /// # Errors
    /// Those of a call.
    fn body(&self, #[arg(body)] body: impl Read + Send) -> dockipc::Result<()>;

    /// An old method.
    ///
    /// # Errors
    /// Those of a call.
    #[deprecated]
    fn r#type(&self) -> dockipc::Result<Items<String>>;
}

/// An async client's trait.
#[cfg(feature = "tokio")]
#[dockipc::client]
pub trait SilentAsyncClient {
    /// A method.
    async fn seven(&self) -> dockipc::Result<u8>;
}

#[test]
fn every_macro_form_compiles_without_warnings() {
    #[command("local")]
    fn local() {}

    let daemon = Server::new().state(AtomicU64::new(0)).spawn_in_process().unwrap();
    let client = daemon.client();
    for (line, answer) in [
        ("nothing", ""),
        ("named", ""),
        ("all", "everything"),
        ("seven", "7"),
        ("type 3", "3"),
        ("action nothing", "Nothing"),
        ("local", ""),
        ("inner.private", ""),
        ("old", ""),
        ("old-answer", ""),
        ("must-use", "1"),
        ("hidden-type", ""),
        ("borrowed ab", "b"),
        ("map", ""),
        ("options --times 1", "falsefalse130None-1Red3s::1None"),
        ("failing 1 1", "2"),
        ("words a b other 5 ::1", "a1Rest5::1None0"),
    ] {
        assert_eq!(client.send(line).unwrap().escape_ascii().to_string(), answer, "{line}");
    }
    assert!(client.send("injected").is_ok());
    assert!(client.send("elsewhere").is_err());
    inner::public();
    with_name();
}
