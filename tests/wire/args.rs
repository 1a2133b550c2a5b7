//! Every form of a parameter at run time.

#![expect(clippy::too_many_arguments, reason = "many forms at once are what is tested")]

use std::ffi::{OsStr, OsString};
use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::num::{
    NonZeroI8, NonZeroI16, NonZeroI32, NonZeroI64, NonZeroI128, NonZeroIsize, NonZeroU8,
    NonZeroU16, NonZeroU32, NonZeroU64, NonZeroU128, NonZeroUsize,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use dockipc::{Arg, BadValue, Failure, Handle, Peer, Request, Server, State, command};
use tests::{exchange, resp};

fn daemon() -> Handle {
    Server::new().state(AtomicU64::new(40)).spawn_in_process().unwrap()
}

/// Returns the answer to one line.
fn ask(daemon: &Handle, line: &str) -> String {
    let answer = exchange(daemon.connect().unwrap(), format!("{line}\n").as_bytes());
    String::from_utf8(answer).unwrap()
}

/// Sends each line and reports every unexpected answer.
#[track_caller]
fn check(cases: &[(&str, &str)]) {
    let daemon = daemon();
    let wrong: Vec<_> = cases
        .iter()
        .map(|&(line, expected)| (line, expected, ask(&daemon, line)))
        .filter(|(_, expected, answer)| answer != expected)
        .map(|(line, expected, answer)| {
            format!("{line}\n  expected {expected:?}\n  not      {answer:?}")
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Sends each line and expects `-USAGE` with this reason and the usage line.
#[track_caller]
fn refused(cases: &[(&str, &str)]) {
    let daemon = daemon();
    for (line, reason) in cases {
        let answer = ask(&daemon, line);
        let name = line.split(' ').next().unwrap();
        let start = format!("-USAGE {reason}; usage: {name} ");
        assert!(answer.starts_with(&start) && answer.ends_with('\n'), "{line}\n{answer}");
    }
}

/// Returns the answer to one RESP command.
fn ask_words(words: &[&[u8]]) -> String {
    exchange(daemon().connect().unwrap(), &resp(words)).escape_ascii().to_string()
}

fn show(value: impl Debug) -> String {
    format!("{value:?}")
}

macro_rules! one_word {
    ($($name:ident: $ty:ty;)*) => {$(
        #[command]
        fn $name(n: $ty) -> String {
            show(n)
        }
    )*};
}

one_word! {
    t_u8: u8; t_u16: u16; t_u32: u32; t_u64: u64; t_u128: u128; t_usize: usize;
    t_i8: i8; t_i16: i16; t_i32: i32; t_i64: i64; t_i128: i128; t_isize: isize;
    t_nonzero_u8: NonZeroU8; t_nonzero_u16: NonZeroU16; t_nonzero_u32: NonZeroU32;
    t_nonzero_u64: NonZeroU64; t_nonzero_u128: NonZeroU128; t_nonzero_usize: NonZeroUsize;
    t_nonzero_i8: NonZeroI8; t_nonzero_i16: NonZeroI16; t_nonzero_i32: NonZeroI32;
    t_nonzero_i64: NonZeroI64; t_nonzero_i128: NonZeroI128; t_nonzero_isize: NonZeroIsize;
    t_f32: f32; t_f64: f64; t_bool: bool; t_char: char; t_string: String; t_str: &str;
    t_bytes: &[u8]; t_vec: Vec<u8>; t_path: &Path; t_path_buf: PathBuf; t_os_str: &OsStr;
    t_os_string: OsString; t_duration: Duration; t_time: SystemTime; t_ip: IpAddr; t_ip4: Ipv4Addr; t_ip6: Ipv6Addr;
    t_socket: SocketAddr; t_socket4: SocketAddrV4; t_socket6: SocketAddrV6;
}

/// Fails with a usage error of its own.
#[command]
fn own_usage(text: &str) -> Result<(), Failure> {
    Err(Failure::new("USAGE", text))
}

#[test]
fn usage_error_of_an_author_gets_the_usage_line() {
    check(&[
        ("own-usage 'no such unit'", "-USAGE no such unit; usage: own-usage <text>\n"),
        ("own-usage 'usage: sell N'", "-USAGE usage: sell N\n"),
    ]);
}

#[test]
fn every_argument_type_is_parsed() {
    check(&[
        ("t-u8 255", "255"),
        ("t-u16 65535", "65535"),
        ("t-u32 4294967295", "4294967295"),
        ("t-u64 18446744073709551615", "18446744073709551615"),
        (
            "t-u128 340282366920938463463374607431768211455",
            "340282366920938463463374607431768211455",
        ),
        ("t-usize 7", "7"),
        ("t-i8 -128", "-128"),
        ("t-i16 -32768", "-32768"),
        ("t-i32 -2147483648", "-2147483648"),
        ("t-i64 -9223372036854775808", "-9223372036854775808"),
        ("t-i128 -1", "-1"),
        ("t-isize -7", "-7"),
        ("t-nonzero-u8 1", "1"),
        ("t-nonzero-u16 1", "1"),
        ("t-nonzero-u32 1", "1"),
        ("t-nonzero-u64 1", "1"),
        ("t-nonzero-u128 1", "1"),
        ("t-nonzero-usize 1", "1"),
        ("t-nonzero-i8 -1", "-1"),
        ("t-nonzero-i16 -1", "-1"),
        ("t-nonzero-i32 -1", "-1"),
        ("t-nonzero-i64 -1", "-1"),
        ("t-nonzero-i128 -1", "-1"),
        ("t-nonzero-isize -1", "-1"),
        ("t-f32 1.5", "1.5"),
        ("t-f64 -2.5e-3", "-0.0025"),
        ("t-f64 inf", "inf"),
        ("t-bool true", "true"),
        ("t-bool yes", "true"),
        ("t-bool on", "true"),
        ("t-bool 1", "true"),
        ("t-bool false", "false"),
        ("t-bool no", "false"),
        ("t-bool off", "false"),
        ("t-bool 0", "false"),
        ("t-char ß", "'ß'"),
        ("t-string 'a b'", "\"a b\""),
        ("t-str ''", "\"\""),
        ("t-bytes ab", "[97, 98]"),
        ("t-vec ab", "[97, 98]"),
        ("t-path /tmp/x", "\"/tmp/x\""),
        ("t-path-buf 'a b'", "\"a b\""),
        ("t-os-str a", "\"a\""),
        ("t-os-string a", "\"a\""),
        ("t-duration 1.5s", "1.5s"),
        ("t-duration 200ms", "200ms"),
        ("t-duration 1h30m", "5400s"),
        ("t-duration 7us", "7µs"),
        ("t-duration 7µs", "7µs"),
        ("t-duration 7ns", "7ns"),
        ("t-duration 2d", "172800s"),
        ("t-duration 1min", "60s"),
        ("t-time 1970-01-01T01:00:07+01:00", "SystemTime { tv_sec: 7, tv_nsec: 0 }"),
        ("t-ip ::1", "::1"),
        ("t-ip4 127.0.0.1", "127.0.0.1"),
        ("t-ip6 fe80::1", "fe80::1"),
        ("t-socket 127.0.0.1:80", "127.0.0.1:80"),
        ("t-socket4 127.0.0.1:80", "127.0.0.1:80"),
        ("t-socket6 [::1]:80", "[::1]:80"),
    ]);
}

#[test]
fn bad_value_gets_usage_with_word_and_reason() {
    refused(&[
        ("t-u8 256", "bad value for n: \"256\": expected an integer from 0 to 255"),
        ("t-u8 -1", "bad value for n: \"-1\": expected an integer from 0 to 255"),
        ("t-u8 x", "bad value for n: \"x\": expected an integer from 0 to 255"),
        ("t-u8 ''", "bad value for n: \"\": expected an integer from 0 to 255"),
        (
            "t-i64 1.5",
            "bad value for n: \"1.5\": expected an integer from -9223372036854775808 to 9223372036854775807",
        ),
        ("t-nonzero-u8 0", "bad value for n: \"0\": expected an integer from 1 to 255, not 0"),
        ("t-f64 one", "bad value for n: \"one\": expected a number such as 1.5"),
        ("t-bool maybe", "bad value for n: \"maybe\": expected true or false"),
        ("t-char ab", "bad value for n: \"ab\": expected one character"),
        ("t-char ''", "bad value for n: \"\": expected one character"),
        (
            "t-duration 5",
            "bad value for n: \"5\": expected a duration such as 200ms, 1.5s, 3m or 1h30m",
        ),
        (
            "t-duration s",
            "bad value for n: \"s\": expected a duration such as 200ms, 1.5s, 3m or 1h30m",
        ),
        (
            "t-duration -1s",
            "bad value for n: \"-1s\": expected a duration such as 200ms, 1.5s, 3m or 1h30m",
        ),
        (
            "t-duration 1.5.5s",
            "bad value for n: \"1.5.5s\": expected a duration such as 200ms, 1.5s, 3m or 1h30m",
        ),
        (
            "t-duration 1x",
            "bad value for n: \"1x\": expected a duration such as 200ms, 1.5s, 3m or 1h30m",
        ),
        (
            "t-duration ''",
            "bad value for n: \"\": expected a duration such as 200ms, 1.5s, 3m or 1h30m",
        ),
        (
            "t-duration 99999999999999999999d",
            "bad value for n: \"99999999999999999999d\": expected a duration such as 200ms, 1.5s, 3m or 1h30m",
        ),
        (
            "t-time 1970-01-01",
            "bad value for n: \"1970-01-01\": expected a time such as 2026-01-31T23:59:59Z",
        ),
        (
            "t-duration '1s '",
            "bad value for n: \"1s \": expected a duration such as 200ms, 1.5s, 3m or 1h30m",
        ),
        ("t-ip here", "bad value for n: \"here\": expected an address such as 127.0.0.1 or ::1"),
        ("t-u8", "n is missing"),
        ("t-u8 1 2", "unexpected word \"2\""),
    ]);
}

#[test]
fn bytes_may_be_any_and_text_must_be_utf8() {
    assert_eq!(ask_words(&[b"t-bytes", b"\xff\0\r\n"]), "$16\\r\\n[255, 0, 13, 10]\\r\\n");
    assert_eq!(ask_words(&[b"t-vec", b"\xff\0\r\n"]), "$16\\r\\n[255, 0, 13, 10]\\r\\n");
    assert_eq!(
        ask_words(&[b"t-str", b"a\xff"]),
        "-UTF8 bad value for n: \\\"a\\xef\\xbf\\xbd\\\": not UTF-8 at byte 1\\r\\n"
    );
    assert_eq!(
        ask_words(&[b"t-u8", b"1\xff"]),
        "-UTF8 bad value for n: \\\"1\\xef\\xbf\\xbd\\\": not UTF-8 at byte 1\\r\\n"
    );
    assert_eq!(ask_words(&[b"t-os-str", b"\xff"]), "$6\\r\\n\\\"\\\\xFF\\\"\\r\\n");
    assert_eq!(ask_words(&[b"t-path", b"/\xff"]), "$7\\r\\n\\\"/\\\\xFF\\\"\\r\\n");
    assert_eq!(
        ask_words(&[b"t-path", b"a\0b"]),
        "-USAGE bad value for n: \\\"a\\\\0b\\\": a path can\\'t contain a NUL byte; usage: t-path <n>\\r\\n"
    );
}

#[command]
fn optional(first: Option<u8>, second: Option<&str>, third: Option<Vec<u8>>) -> String {
    show((first, second, third))
}

#[command]
fn list(unit: &str, numbers: Vec<i32>) -> String {
    show((unit, numbers))
}

#[command]
fn texts(texts: Vec<&str>) -> String {
    show(texts)
}

#[test]
fn optional_parameters_are_omitted_from_the_end() {
    check(&[
        ("optional", "(None, None, None)"),
        ("optional 1", "(Some(1), None, None)"),
        ("optional 1 a", "(Some(1), Some(\"a\"), None)"),
        ("optional 1 '' b", "(Some(1), Some(\"\"), Some([98]))"),
        ("list kg", "(\"kg\", [])"),
        ("list kg 1 -2 3", "(\"kg\", [1, -2, 3])"),
        ("texts", "[]"),
        ("texts a 'b c' ''", "[\"a\", \"b c\", \"\"]"),
    ]);
    refused(&[
        ("optional x", "bad value for first: \"x\": expected an integer from 0 to 255"),
        ("optional 1 a b c", "unexpected word \"c\""),
        (
            "list kg 1 two 3",
            "bad value for numbers: \"two\": expected an integer from -2147483648 to 2147483647",
        ),
        ("list", "unit is missing"),
    ]);
}

fn three() -> u64 {
    3
}

#[command]
fn defaults(
    #[arg(default = 5)] int: u64,
    #[arg(default = -5)] negative: i64,
    #[arg(default = "a b")] text: &str,
    #[arg(default = 'x')] char: char,
    #[arg(default = true)] bool: bool,
    #[arg(default = -0.5)] float: f64,
    #[arg(default = "1m")] wait: Duration,
    #[arg(default = three() + 1)] computed: u64,
    #[arg(default = vec![1, 2])] list: Vec<u8>,
) -> String {
    show((int, negative, text, char, bool, float, wait, computed, list))
}

#[test]
fn omitted_parameter_gets_its_default() {
    check(&[
        ("defaults", "(5, -5, \"a b\", 'x', true, -0.5, 60s, 4, [1, 2])"),
        ("defaults 6 -6 c y no 1 1s", "(6, -6, \"c\", 'y', false, 1.0, 1s, 4, [1, 2])"),
        ("defaults 6 -6 c y no 1 1s 8 z", "(6, -6, \"c\", 'y', false, 1.0, 1s, 8, [122])"),
    ]);
    refused(&[(
        "defaults x",
        "bad value for int: \"x\": expected an integer from 0 to 18446744073709551615",
    )]);
}

#[command]
fn options(
    #[arg(flag)] loud: bool,
    name: &str,
    #[arg(long)] times: Option<u8>,
    #[arg(long = "size", default = 3)] width: u8,
    #[arg(long)] tag: Vec<String>,
    more: Vec<&str>,
) -> String {
    show((loud, name, times, width, tag, more))
}

#[command]
fn needs(#[arg(long)] dry_run: u8) -> u8 {
    dry_run
}

#[test]
fn options_are_accepted_anywhere_in_both_forms() {
    check(&[
        ("options a", "(false, \"a\", None, 3, [], [])"),
        ("options --loud a", "(true, \"a\", None, 3, [], [])"),
        ("options a --loud", "(true, \"a\", None, 3, [], [])"),
        ("options a --loud --loud", "(true, \"a\", None, 3, [], [])"),
        ("options a --times 2 b", "(false, \"a\", Some(2), 3, [], [\"b\"])"),
        ("options a --times=2 b", "(false, \"a\", Some(2), 3, [], [\"b\"])"),
        ("options a --times 2 --times=4", "(false, \"a\", Some(4), 3, [], [])"),
        ("options a --size 4", "(false, \"a\", None, 4, [], [])"),
        (
            "options a --tag x b --tag=y --tag '' c",
            "(false, \"a\", None, 3, [\"x\", \"y\", \"\"], [\"b\", \"c\"])",
        ),
        ("options a --tag --loud", "(false, \"a\", None, 3, [\"--loud\"], [])"),
        ("options a --tag=x=y", "(false, \"a\", None, 3, [\"x=y\"], [])"),
        ("options a -- --loud -- b", "(false, \"a\", None, 3, [], [\"--loud\", \"--\", \"b\"])"),
        ("options -- --loud", "(false, \"--loud\", None, 3, [], [])"),
        ("options -a", "(false, \"-a\", None, 3, [], [])"),
        ("needs --dry-run 3", "3"),
        ("texts --loud -- b", "[\"--loud\", \"--\", \"b\"]"),
    ]);
    refused(&[
        ("options a --loud=yes", "--loud takes no value"),
        ("options a --times", "--times needs a value"),
        ("options a --times x", "bad value for --times: \"x\": expected an integer from 0 to 255"),
        ("options a --width 4", "unknown option --width"),
        ("options --loud", "name is missing"),
        ("needs", "--dry-run is missing"),
        ("needs 3", "unexpected word \"3\""),
        ("needs --dry_run 3", "unknown option --dry_run"),
    ]);
}

#[command]
fn say(to: &str, #[arg(rest)] text: &str) -> String {
    show((to, text))
}

#[command]
fn shout(#[arg(flag)] loud: bool, #[arg(rest)] text: Option<&str>) -> String {
    show((loud, text))
}

#[command]
fn keep(#[arg(rest)] bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

#[command]
fn hush(#[arg(rest, default = "nothing")] text: String) -> String {
    text
}

#[test]
fn rest_of_a_line_is_unchanged() {
    check(&[
        ("say Bob it's   \"here\" \\n", "(\"Bob\", \"it's   \\\"here\\\" \\\\n\")"),
        ("say 'B o' x ", "(\"B o\", \"x \")"),
        ("say  Bob \t x", "(\"Bob\", \"x\")"),
        ("shout", "(false, None)"),
        ("shout --loud hi  there", "(true, Some(\"hi  there\"))"),
        ("shout hi --loud", "(false, Some(\"hi --loud\"))"),
        ("shout -- --loud", "(false, Some(\"--loud\"))"),
        ("keep  'a'  b", "'a'  b"),
        ("keep --loud", "--loud"),
        ("hush", "nothing"),
        ("hush a  b", "a  b"),
    ]);
    refused(&[("say Bob", "text is missing"), ("shout --quiet", "unknown option --quiet")]);
    assert_eq!(
        ask_words(&[b"say", b"Bob", b"a", b"b  c", b"", b"d"]),
        "$20\\r\\n(\\\"Bob\\\", \\\"a b  c  d\\\")\\r\\n"
    );
    assert_eq!(
        ask_words(&[b"say", b"Bob", b"only  one"]),
        "$20\\r\\n(\\\"Bob\\\", \\\"only  one\\\")\\r\\n"
    );
    assert_eq!(ask_words(&[b"keep", b"\xff\r\n", b"\0"]), "$5\\r\\n\\xff\\r\\n \\x00\\r\\n");
    assert_eq!(ask_words(&[b"shout"]), "$13\\r\\n(false, None)\\r\\n");
    assert_eq!(
        ask_words(&[b"shout", b"--loud", b"a", b"--loud"]),
        "$24\\r\\n(true, Some(\\\"a --loud\\\"))\\r\\n"
    );
}

/// A type with only `FromStr`, for `#[arg(from_str)]` at the parameter.
#[derive(Debug, PartialEq)]
struct Even(u64);

impl std::str::FromStr for Even {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(n) if n % 2 == 0 => Ok(Self(n)),
            Ok(n) => Err(format!("{n} is odd")),
            Err(_) => Err("no number".into()),
        }
    }
}

/// A type with `FromStr` and the derive.
#[derive(Arg, Debug)]
#[arg(from_str)]
struct Wrapped(#[expect(dead_code, reason = "it is shown")] Even);

impl std::str::FromStr for Wrapped {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self)
    }
}

/// A type that implements `Arg` by hand.
#[derive(Debug)]
struct Percent(#[expect(dead_code, reason = "it is shown")] u8);

impl Arg<'_> for Percent {
    const TYPE: &'static str = "percent";

    fn from_word(word: &[u8]) -> Result<Self, BadValue> {
        match u8::from_word(word.strip_suffix(b"%").unwrap_or(word))? {
            value @ 0..=100 => Ok(Self(value)),
            _ => Err(BadValue::new("expected 0 to 100")),
        }
    }
}

#[derive(Arg, Debug)]
enum Color {
    Red,
    DarkBlue,
    #[arg(name = "Grün!")]
    Green,
}

#[command]
fn own(
    #[arg(from_str)] even: Even,
    color: Color,
    #[arg(from_str)] maybe: Option<Even>,
    #[arg(from_str, default = 8)] eight: Even,
    #[arg(from_str, long, default = Even(2))] two: Even,
    #[arg(long)] wrapped: Option<Wrapped>,
    #[arg(long)] percent: Vec<Percent>,
    #[arg(long, default = "dark-blue")] back: Color,
    colors: Vec<Color>,
) -> String {
    show((even, color, maybe, eight, two, wrapped, percent, back, colors))
}

#[command]
fn evens(
    #[arg(from_str, long)] more: Vec<Even>,
    #[arg(from_str, default = vec![Even(4)])] all: Vec<Even>,
) -> String {
    show((more, all))
}

#[test]
fn list_is_parsed_through_from_str() {
    check(&[
        ("evens", "([], [Even(4)])"),
        ("evens 2 4 --more 6 6 --more=8", "([Even(6), Even(8)], [Even(2), Even(4), Even(6)])"),
        (
            "evens 2 3",
            "-USAGE bad value for all: \"3\": 3 is odd; usage: evens [--more <more>]… [<all>…]\n",
        ),
    ]);
}

#[test]
fn own_types_are_parsed() {
    check(&[
        ("own 2 red", "(Even(2), Red, None, Even(8), Even(2), None, [], DarkBlue, [])"),
        (
            "own 2 dark-blue 4 6 Grün! red",
            "(Even(2), DarkBlue, Some(Even(4)), Even(6), Even(2), None, [], DarkBlue, [Green, Red])",
        ),
        (
            "own 2 red --two 6 --wrapped 8 --percent 5% --percent=6 --back red",
            "(Even(2), Red, None, Even(8), Even(6), Some(Wrapped(Even(8))), [Percent(5), Percent(6)], Red, [])",
        ),
    ]);
    refused(&[
        ("own 3 red", "bad value for even: \"3\": 3 is odd"),
        ("own x red", "bad value for even: \"x\": no number"),
        ("own 2 RED", "bad value for color: \"RED\": expected one of red, dark-blue, Grün!"),
        ("own 2 pink", "bad value for color: \"pink\": expected one of red, dark-blue, Grün!"),
        ("own 2 red 3", "bad value for maybe: \"3\": 3 is odd"),
        ("own 2 red --wrapped 3", "bad value for --wrapped: \"3\": 3 is odd"),
        ("own 2 red --percent 101", "bad value for --percent: \"101\": expected 0 to 100"),
        (
            "own 2 red 4 6 blue",
            "bad value for colors: \"blue\": expected one of red, dark-blue, Grün!",
        ),
    ]);
}

#[command]
fn injected(
    total: State<AtomicU64>,
    first: u64,
    request: &Request<'_>,
    second: u64,
    peer: Peer,
    also: &Peer,
    same: &State<AtomicU64>,
) -> String {
    total.fetch_add(first, Relaxed);
    same.fetch_add(second, Relaxed);
    assert_eq!((peer.uid(), peer.pid()), (also.uid(), Some(std::process::id())));
    let words: Vec<_> = request.words().map(<[u8]>::escape_ascii).map(|w| w.to_string()).collect();
    format!("{} {} {}", total.load(Relaxed), request.name(), words.join("|"))
}

#[test]
fn injected_parameters_take_no_words() {
    check(&[("injected 1 '2'", "43 injected 1|2")]);
    refused(&[("injected 1", "second is missing"), ("injected 1 2 3", "unexpected word \"3\"")]);
}

#[command("set.alias_1:x-y", alias = "sa", alias = "9")]
fn alias(request: &Request<'_>) -> String {
    request.name().to_owned()
}

#[command(hidden)]
fn secret_thing() -> &'static str {
    "here"
}

#[test]
fn names_and_aliases_match_in_any_case() {
    check(&[
        ("set.alias_1:x-y", "set.alias_1:x-y"),
        ("SA", "set.alias_1:x-y"),
        ("9", "set.alias_1:x-y"),
        ("Set.Alias_1:X-y", "set.alias_1:x-y"),
        ("secret-thing", "here"),
        ("SECRET-THING", "here"),
        ("secret_thing", "-UNKNOWN no command \"secret_thing\"; send help for a list\n"),
    ]);
}

/// Move things about.
///
/// What is there already
/// stays, unless told otherwise.
///
///     an example
#[command("shift", alias = "mv")]
fn helped(
    /// Where
    /// from.
    from: PathBuf,
    /// Where to.
    #[doc = "More of it."]
    to: Option<PathBuf>,
    /// Say what is done.
    #[arg(flag)]
    verbose: bool,
    /// How often.
    #[arg(long, default = 3)]
    tries: u8,
    #[arg(long)] color: Option<Color>,
    _state: State<AtomicU64>,
    #[arg(default = three())] speed: u64,
    rest: Option<Vec<u8>>,
    also: Vec<Duration>,
) {
    let _ = (from, to, verbose, tries, color, speed, rest, also);
}

#[command]
fn shown(
    #[arg(long, default = Duration::from_millis(90_500))] wait: Duration,
    #[arg(long, default = Color::DarkBlue)] color: Color,
    #[arg(long, default = concat!("two", " words"))] text: &str,
    #[arg(long, default = "it's")] quoted: &str,
    #[arg(long, default = "")] empty: String,
    #[arg(long, default = Path::new("/run").join("a b"))] path: PathBuf,
    #[arg(long, default = vec!["a".to_owned(), "b c".to_owned()])] words: Vec<String>,
    #[arg(long, default = b"raw".to_vec())] bytes: Vec<u8>,
    #[arg(long, from_str, default = Ipv4Addr::LOCALHOST)] displayed: Ipv4Addr,
    #[arg(long, from_str, default = Even(2))] unknown: Even,
    #[arg(long, default = "7".parse()?)] failing: u8,
    #[arg(long, default = gone())] panicking: u8,
    #[arg(rest, default = String::from("as it is"))] rest: String,
) {
    let _ = (wait, color, text, quoted, empty, path, words, bytes, displayed);
    let _ = (unknown, failing, panicking, rest);
}

fn gone() -> u8 {
    panic!("no default")
}

#[test]
fn help_shows_defaults_as_they_are_typed() {
    let help = ask(&daemon(), "help shown");
    let shown: Vec<_> = help.lines().filter(|line| line.starts_with("  ")).collect();
    let ends: Vec<_> =
        shown.iter().map(|line| line.rsplit("; ").next().unwrap_or_default()).collect();
    assert_eq!(
        ends,
        [
            "default 90.5s",
            "default dark-blue",
            "default 'two words'",
            r"default 'it'\''s'",
            "default ''",
            "default '/run/a b'",
            "default a 'b c'",
            "default raw",
            "default 127.0.0.1",
            "optional",
            "default 7",
            "optional",
            "default as it is",
        ],
        "{help}"
    );
}

#[test]
fn help_shows_the_doc_comments() {
    let daemon = daemon();
    assert_eq!(
        ask(&daemon, "help shift"),
        "\
shift <from> [<to>] [--verbose] [--tries <tries>] [--color <color>] [<speed>] [<rest>] [<also>…]

Move things about.

What is there already
stays, unless told otherwise.

    an example

  <from>           Where from; path
  <to>             Where to. More of it; path; optional
  --verbose        Say what is done
  --tries <tries>  How often; integer; default 3
  --color <color>  red|dark-blue|Grün!; optional
  <speed>          integer; default 3
  <rest>           bytes; optional
  <also>           duration, any number

aliases: mv
"
    );
    assert_eq!(ask(&daemon, "HELP MV"), ask(&daemon, "help shift"));
    let all = ask(&daemon, "help");
    assert!(!all.contains("secret"), "{all}");
    assert!(!all.contains("\nmv"), "{all}");
    assert!(ask(&daemon, "help secret-thing").starts_with("secret-thing\n"));
}

#[test]
fn command_function_can_be_called_directly() {
    let total = State::new(AtomicU64::new(1));
    assert_eq!(needs(4), 4);
    assert_eq!(say("Bob", "x"), "(\"Bob\", \"x\")");
    helped("a".into(), None, true, 1, None, total, 1, None, Vec::new());
}
