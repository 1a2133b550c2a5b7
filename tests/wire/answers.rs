//! The bytes of every answer type in each protocol.

#![expect(clippy::unnecessary_wraps, reason = "a command's type is what is tested")]

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU8;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dockipc::{Failure, IntoReply, Protocol, Reply, Request, Server, command};
use tests::{exchange, resp};

/// Returns the answer to one command in line mode, RESP2 and RESP3, escaped.
fn answers(name: &str) -> [String; 3] {
    let daemon = Server::new().state(AtomicU64::new(0)).spawn_in_process().unwrap();
    let ask = |bytes: &[u8]| exchange(daemon.connect().unwrap(), bytes).escape_ascii().to_string();
    let three = [resp(&["hello", "3"]), resp(&["echo", "now"]), resp(&[name])].concat();
    let three = ask(&three);
    let (_, three) = three.split_once("$3\\r\\nnow\\r\\n").unwrap();
    [ask(format!("{name}\n").as_bytes()), ask(&resp(&[name])), three.to_owned()]
}

macro_rules! answers {
    ($($name:ident: $ty:ty = $value:expr => $line:literal, $two:literal, $three:literal;)*) => {
        $(
            #[command]
            #[allow(deprecated, reason = "`set` is a name of Redis'")]
            fn $name() -> $ty {
                $value
            }
        )*

        #[test]
        fn every_answer_has_its_form_in_each_protocol() {
            let mut wrong = Vec::new();
            for (name, expected) in [$((stringify!($name), [$line, $two, $three])),*] {
                let answer = answers(&name.replace('_', "-"));
                if answer != expected {
                    wrong.push(format!("{name}: {expected:?}\n  not {answer:?}"));
                }
            }
            assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
        }
    };
}

/// An author's own type.
struct Point {
    x: i64,
    y: i64,
}

impl IntoReply for Point {
    fn into_reply(self) -> Reply {
        Reply::map([("x", self.x.into_reply()), ("y", self.y.into_reply())])
    }
}

/// An own type with two columns.
type Pair = Option<(&'static str, char)>;

/// Arrays with two columns and with one.
type Arrays = (Option<[u16; 2]>, Option<[u8; 2]>, u8);

/// An author's own error.
struct Full {
    left: u64,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "only {} bytes left", self.left)
    }
}

answers! {
    unit: () = () => "", "+OK\\r\\n", "+OK\\r\\n";
    string: String = "ä b\n".into() =>
        "\\xc3\\xa4 b\\n", "$5\\r\\n\\xc3\\xa4 b\\n\\r\\n", "$5\\r\\n\\xc3\\xa4 b\\n\\r\\n";
    empty: &'static str = "" => "", "$0\\r\\n\\r\\n", "$0\\r\\n\\r\\n";
    text: &'static str = "a" => "a", "$1\\r\\na\\r\\n", "$1\\r\\na\\r\\n";
    boxed: Box<str> = "a".into() => "a", "$1\\r\\na\\r\\n", "$1\\r\\na\\r\\n";
    cow: Cow<'static, str> = "a".into() => "a", "$1\\r\\na\\r\\n", "$1\\r\\na\\r\\n";
    path: PathBuf = "/a".into() => "/a", "$2\\r\\n/a\\r\\n", "$2\\r\\n/a\\r\\n";
    path_ref: &'static Path = Path::new("/a") => "/a", "$2\\r\\n/a\\r\\n", "$2\\r\\n/a\\r\\n";
    bytes: Vec<u8> = vec![0, 255, 13, 10] =>
        "\\x00\\xff\\r\\n", "$4\\r\\n\\x00\\xff\\r\\n\\r\\n", "$4\\r\\n\\x00\\xff\\r\\n\\r\\n";
    bytes_ref: &'static [u8] = b"ab" => "ab", "$2\\r\\nab\\r\\n", "$2\\r\\nab\\r\\n";
    byte_array: [u8; 2] = *b"ab" => "ab", "$2\\r\\nab\\r\\n", "$2\\r\\nab\\r\\n";
    byte_box: Box<[u8]> = b"ab".as_slice().into() => "ab", "$2\\r\\nab\\r\\n", "$2\\r\\nab\\r\\n";
    char: char = 'ß' => "\\xc3\\x9f", "$2\\r\\n\\xc3\\x9f\\r\\n", "$2\\r\\n\\xc3\\x9f\\r\\n";
    small: u8 = 7 => "7", ":7\\r\\n", ":7\\r\\n";
    negative: i32 = -70 => "-70", ":-70\\r\\n", ":-70\\r\\n";
    most: i64 = i64::MAX =>
        "9223372036854775807", ":9223372036854775807\\r\\n", ":9223372036854775807\\r\\n";
    least: i64 = i64::MIN =>
        "-9223372036854775808", ":-9223372036854775808\\r\\n", ":-9223372036854775808\\r\\n";
    big: u64 = u64::MAX =>
        "18446744073709551615",
        "$20\\r\\n18446744073709551615\\r\\n",
        "$20\\r\\n18446744073709551615\\r\\n";
    low: i128 = i128::from(i64::MIN) - 1 =>
        "-9223372036854775809",
        "$20\\r\\n-9223372036854775809\\r\\n",
        "$20\\r\\n-9223372036854775809\\r\\n";
    float: f64 = 0.1 => "0.1", "$3\\r\\n0.1\\r\\n", ",0.1\\r\\n";
    whole: f64 = -3.0 => "-3", "$2\\r\\n-3\\r\\n", ",-3\\r\\n";
    single: f32 = 0.1 => "0.1", "$3\\r\\n0.1\\r\\n", ",0.1\\r\\n";
    huge: f64 = 1e300 => "1e300", "$5\\r\\n1e300\\r\\n", ",1e300\\r\\n";
    infinite: f64 = f64::NEG_INFINITY => "-inf", "$4\\r\\n-inf\\r\\n", ",-inf\\r\\n";
    nan: f64 = -f64::NAN => "nan", "$3\\r\\nnan\\r\\n", ",nan\\r\\n";
    nonzero: NonZeroU8 = NonZeroU8::MAX => "255", ":255\\r\\n", ":255\\r\\n";
    duration: Duration = Duration::from_millis(1500) => "1.5s", "$4\\r\\n1.5s\\r\\n", "$4\\r\\n1.5s\\r\\n";
    microsecond: Duration = Duration::from_micros(1) => "1us", "$3\\r\\n1us\\r\\n", "$3\\r\\n1us\\r\\n";
    time: SystemTime = UNIX_EPOCH + Duration::from_secs(951_782_399) =>
        "2000-02-28T23:59:59Z",
        "$20\\r\\n2000-02-28T23:59:59Z\\r\\n",
        "$20\\r\\n2000-02-28T23:59:59Z\\r\\n";
    address: IpAddr = Ipv6Addr::LOCALHOST.into() => "::1", "$3\\r\\n::1\\r\\n", "$3\\r\\n::1\\r\\n";
    array: [u16; 2] = [1, 2] => "1\\n2\\n", "*2\\r\\n:1\\r\\n:2\\r\\n", "*2\\r\\n:1\\r\\n:2\\r\\n";
    arrays: Vec<Arrays> = vec![(Some([1, 2]), Some(*b"ab"), 3), (None, None, 4)] =>
        "1\\t2\\tab\\t3\\n\\t\\t\\t4\\n",
        "*2\\r\\n*3\\r\\n*2\\r\\n:1\\r\\n:2\\r\\n$2\\r\\nab\\r\\n:3\\r\\n*3\\r\\n$-1\\r\\n$-1\\r\\n:4\\r\\n",
        "*2\\r\\n*3\\r\\n*2\\r\\n:1\\r\\n:2\\r\\n$2\\r\\nab\\r\\n:3\\r\\n*3\\r\\n_\\r\\n_\\r\\n:4\\r\\n";
    boxed_number: Box<u8> = Box::new(1) => "1", ":1\\r\\n", ":1\\r\\n";
    shared_list: Arc<Vec<u16>> = Arc::new(vec![1]) => "1\\n", "*1\\r\\n:1\\r\\n", "*1\\r\\n:1\\r\\n";
    shared_text: Arc<str> = "a".into() => "a", "$1\\r\\na\\r\\n", "$1\\r\\na\\r\\n";
    yes: bool = true => "true", ":1\\r\\n", "#t\\r\\n";
    no: bool = false => "false", ":0\\r\\n", "#f\\r\\n";
    none: Option<u64> = None => "", "$-1\\r\\n", "_\\r\\n";
    some: Option<u64> = Some(1) => "1", ":1\\r\\n", ":1\\r\\n";
    list: Vec<u64> = vec![1, 2] =>
        "1\\n2\\n", "*2\\r\\n:1\\r\\n:2\\r\\n", "*2\\r\\n:1\\r\\n:2\\r\\n";
    no_list: Vec<String> = Vec::new() => "", "*0\\r\\n", "*0\\r\\n";
    list_of_bytes: Vec<Vec<u8>> = vec![b"a".into(), b"".into()] =>
        "a\\n\\n", "*2\\r\\n$1\\r\\na\\r\\n$0\\r\\n\\r\\n", "*2\\r\\n$1\\r\\na\\r\\n$0\\r\\n\\r\\n";
    holes: Vec<Option<bool>> = vec![Some(true), None] =>
        "true\\n\\n", "*2\\r\\n:1\\r\\n$-1\\r\\n", "*2\\r\\n#t\\r\\n_\\r\\n";
    deque: VecDeque<char> = ['a'].into() =>
        "a\\n", "*1\\r\\n$1\\r\\na\\r\\n", "*1\\r\\n$1\\r\\na\\r\\n";
    set: BTreeSet<u8> = [2, 1].into() =>
        "1\\n2\\n", "*2\\r\\n:1\\r\\n:2\\r\\n", "~2\\r\\n:1\\r\\n:2\\r\\n";
    hash_set: HashSet<u8> = [1].into() => "1\\n", "*1\\r\\n:1\\r\\n", "~1\\r\\n:1\\r\\n";
    map: BTreeMap<&'static str, f64> = [("a", 0.5), ("b", 2.0)].into() =>
        "a\\t0.5\\nb\\t2\\n",
        "*4\\r\\n$1\\r\\na\\r\\n$3\\r\\n0.5\\r\\n$1\\r\\nb\\r\\n$1\\r\\n2\\r\\n",
        "%2\\r\\n$1\\r\\na\\r\\n,0.5\\r\\n$1\\r\\nb\\r\\n,2\\r\\n";
    hash_map: HashMap<u8, String> = [(1, "x".into())].into() =>
        "1\\tx\\n", "*2\\r\\n:1\\r\\n$1\\r\\nx\\r\\n", "%1\\r\\n:1\\r\\n$1\\r\\nx\\r\\n";
    tuple: (u8, &'static str, bool) = (1, "a", true) =>
        "1\\na\\ntrue\\n",
        "*3\\r\\n:1\\r\\n$1\\r\\na\\r\\n:1\\r\\n",
        "*3\\r\\n:1\\r\\n$1\\r\\na\\r\\n#t\\r\\n";
    table: Vec<(u8, &'static str)> = vec![(1, "a"), (2, "b")] =>
        "1\\ta\\n2\\tb\\n",
        "*2\\r\\n*2\\r\\n:1\\r\\n$1\\r\\na\\r\\n*2\\r\\n:2\\r\\n$1\\r\\nb\\r\\n",
        "*2\\r\\n*2\\r\\n:1\\r\\n$1\\r\\na\\r\\n*2\\r\\n:2\\r\\n$1\\r\\nb\\r\\n";
    forged: Vec<(u8, String)> = vec![(1, "a\n2\tb\r\\".into()), (2, "\\n".into())] =>
        "1\\ta\\\\n2\\\\tb\\\\r\\\\\\\\\\n2\\t\\\\\\\\n\\n",
        "*2\\r\\n*2\\r\\n:1\\r\\n$7\\r\\na\\n2\\tb\\r\\\\\\r\\n*2\\r\\n:2\\r\\n$2\\r\\n\\\\n\\r\\n",
        "*2\\r\\n*2\\r\\n:1\\r\\n$7\\r\\na\\n2\\tb\\r\\\\\\r\\n*2\\r\\n:2\\r\\n$2\\r\\n\\\\n\\r\\n";
    forged_list: Vec<Result<Vec<u8>, String>> = vec![Ok(b"a\nb".into()), Err("c\n\td".into())] =>
        "a\\\\nb\\n-ERR c\\\\n\\\\td\\n",
        "*2\\r\\n$3\\r\\na\\nb\\r\\n-ERR c \\td\\r\\n",
        "*2\\r\\n$3\\r\\na\\nb\\r\\n-ERR c \\td\\r\\n";
    forged_key: BTreeMap<&'static str, char> = [("a\tb", '\n')].into() =>
        "a\\\\tb\\t\\\\n\\n",
        "*2\\r\\n$3\\r\\na\\tb\\r\\n$1\\r\\n\\n\\r\\n",
        "%1\\r\\n$3\\r\\na\\tb\\r\\n$1\\r\\n\\n\\r\\n";
    pairs: Vec<(u8, Pair, u8)> = vec![(1, Some(("a", 'b')), 2), (3, None, 4)] =>
        "1\\ta\\tb\\t2\\n3\\t\\t\\t4\\n",
        "*2\\r\\n*3\\r\\n:1\\r\\n*2\\r\\n$1\\r\\na\\r\\n$1\\r\\nb\\r\\n:2\\r\\n*3\\r\\n:3\\r\\n$-1\\r\\n:4\\r\\n",
        "*2\\r\\n*3\\r\\n:1\\r\\n*2\\r\\n$1\\r\\na\\r\\n$1\\r\\nb\\r\\n:2\\r\\n*3\\r\\n:3\\r\\n_\\r\\n:4\\r\\n";
    no_pair: Option<(u8, u8)> = None => "", "$-1\\r\\n", "_\\r\\n";
    point: Point = Point { x: 1, y: -1 } =>
        "x\\t1\\ny\\t-1\\n",
        "*4\\r\\n$1\\r\\nx\\r\\n:1\\r\\n$1\\r\\ny\\r\\n:-1\\r\\n",
        "%2\\r\\n$1\\r\\nx\\r\\n:1\\r\\n$1\\r\\ny\\r\\n:-1\\r\\n";
    status: Reply = Reply::Status("FINE".into()) => "FINE", "+FINE\\r\\n", "+FINE\\r\\n";
    fine: Result<u64, Full> = Ok(1) => "1", ":1\\r\\n", ":1\\r\\n";
    displayed: Result<u64, Full> = Err(Full { left: 3 }) =>
        "-ERR only 3 bytes left\\n", "-ERR only 3 bytes left\\r\\n", "-ERR only 3 bytes left\\r\\n";
    in_words: Result<(), &'static str> = Err("two\r\nlines") =>
        "-ERR two  lines\\n", "-ERR two  lines\\r\\n", "-ERR two  lines\\r\\n";
    in_string: Result<(), String> = Err("ä".into()) =>
        "-ERR \\xc3\\xa4\\n", "-ERR \\xc3\\xa4\\r\\n", "-ERR \\xc3\\xa4\\r\\n";
    boxed_error: Result<(), Box<dyn std::error::Error>> = Err("boxed".into()) =>
        "-ERR boxed\\n", "-ERR boxed\\r\\n", "-ERR boxed\\r\\n";
    io_error: std::io::Result<Vec<u8>> = Err(std::io::Error::other("no disk")) =>
        "-ERR no disk\\n", "-ERR no disk\\r\\n", "-ERR no disk\\r\\n";
    own_code: Result<(), Failure> = Err(Failure::new("FULL", "no room")) =>
        "-FULL no room\\n", "-FULL no room\\r\\n", "-FULL no room\\r\\n";
    odd_code: Result<(), Failure> = Err(Failure::new("too full", "no room")) =>
        "-TOO_FULL no room\\n", "-TOO_FULL no room\\r\\n", "-TOO_FULL no room\\r\\n";
    mapped: Result<(), Failure> = Err(Full { left: 0 }).map_err(Failure::with("FULL")) =>
        "-FULL only 0 bytes left\\n",
        "-FULL only 0 bytes left\\r\\n",
        "-FULL only 0 bytes left\\r\\n";
    questioned: Result<u8, Failure> = { let n: u8 = "x".parse()?; Ok(n) } =>
        "-ERR invalid digit found in string\\n",
        "-ERR invalid digit found in string\\r\\n",
        "-ERR invalid digit found in string\\r\\n";
    failure: Reply = Reply::Error(Failure::new("GONE", "it left")) =>
        "-GONE it left\\n", "-GONE it left\\r\\n", "-GONE it left\\r\\n";
    some_failing: Option<Result<u8, Full>> = Some(Err(Full { left: 1 })) =>
        "-ERR only 1 bytes left\\n", "-ERR only 1 bytes left\\r\\n", "-ERR only 1 bytes left\\r\\n";
}

#[command]
fn unnamed_type() -> impl IntoReply {
    [1_u8, 2].into_iter().collect::<BTreeSet<_>>()
}

#[command]
fn spoken(request: &Request<'_>) -> &'static str {
    match request.protocol() {
        Protocol::Line => "line",
        Protocol::Resp2 => "two",
        Protocol::Resp3 => "three",
    }
}

#[command]
fn borrowed(#[arg(default = "a/b")] path: &Path) -> Option<&Path> {
    path.parent()
}

#[test]
fn answer_can_be_borrowed_or_an_impl_trait() {
    assert_eq!(answers("unnamed-type")[2], "~2\\r\\n:1\\r\\n:2\\r\\n");
    assert_eq!(answers("borrowed")[0], "a");
    assert_eq!(answers("spoken"), ["line", "$3\\r\\ntwo\\r\\n", "$5\\r\\nthree\\r\\n"]);
}
