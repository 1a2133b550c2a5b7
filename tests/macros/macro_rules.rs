//! Commands that declarative macros write, from fragments of every kind.

use std::sync::atomic::AtomicU64;

use dockipc::{Arg, Server, command};

macro_rules! with_default {
    ($name:ident, $ty:ty, $literal:literal, $expr:expr) => {
        #[command]
        fn $name(
            #[arg(default = $literal)] a: $ty,
            #[arg(long, default = $expr)] b: $ty,
        ) -> String {
            format!("{a}{b}")
        }
    };
}

with_default!(literal_text, String, "a", "b");
with_default!(literal_number, i64, -1, -2);
with_default!(literal_paren, String, "a", ("b"));

macro_rules! negative {
    ($name:ident, $expr:expr) => {
        #[command]
        fn $name(#[arg(default = -$expr)] a: i64, #[arg(default = (-($expr)))] b: i64) -> i64 {
            let in_body = -$expr * 2;
            a + b + in_body
        }
    };
}

negative!(negative, 3);
negative!(negative_sum, 1 + 2);

macro_rules! from_str {
    ($name:ident, $inner:ty, $outer:ty) => {
        #[command]
        fn $name(
            #[arg(from_str)] a: $outer,
            #[arg(from_str)] b: Option<$inner>,
            #[arg(from_str)] c: (Option<$inner>),
        ) -> $outer {
            a.or(b).or(c)
        }
    };
}

/// Passes its fragments on, so that there are two groups.
macro_rules! nested {
    ($name:ident, $inner:ty, $outer:ty) => {
        from_str!($name, $inner, $outer);
    };
}

nested!(first_address, u16, Option<u16>);

/// Has a parameter and an answer of a type that is one fragment.
macro_rules! echoed {
    ($name:ident, $ty:ty) => {
        #[command]
        fn $name(value: ($ty)) -> $ty {
            value
        }
    };
}

echoed!(echoed, u8);

macro_rules! everything {
    (
        $(#[$meta:meta])* $vis:vis $name:ident $command:literal $alias:expr, $allow:expr,
        $crate_path:path, $option:literal, $complete:path, $doc:expr, $text:ident, $body:block
    ) => {
        #[command($command, alias = $alias, allow = $allow, crate = $crate_path)]
        $(#[$meta])*
        #[doc = $doc]
        $vis fn $name(#[arg(long = $option, complete = $complete)] $text: &str) -> String $body
    };
}

fn words(_: &str) -> Vec<String> {
    Vec::new()
}

everything!(
    #[must_use] pub(crate) all_fragments "fragments" "fragments.alias", "any", ::dockipc, "as", words, "Text.", text,
    { text.to_owned() }
);

macro_rules! word {
    ($name:ident $word:literal $variant:ident) => {
        #[derive(Arg, Debug)]
        enum $name {
            #[arg(name = $word)]
            $variant,
        }
    };
}

word!(Word "one" First);

#[command]
fn word(word: Word) -> String {
    format!("{word:?}")
}

/// Passes an item on.
macro_rules! item {
    ($item:item) => {
        #[command]
        $item
    };
}

item! {
    fn passed_item(n: u8) -> u8 {
        n
    }
}

#[test]
fn fragments_of_every_kind_make_commands() {
    // A command of `silent` requires the state.
    let daemon = Server::new().state(AtomicU64::new(0)).spawn_in_process().unwrap();
    let client = daemon.client();
    for (line, answer) in [
        ("literal-text", "ab"),
        ("literal-number", "-1-2"),
        ("literal-paren", "ab"),
        ("negative", "-12"),
        ("negative-sum", "-12"),
        ("first-address 1", "1"),
        ("echoed 7", "7"),
        ("fragments --as x", "x"),
        ("fragments.alias --as x", "x"),
        ("word one", "First"),
        ("passed-item 3", "3"),
    ] {
        assert_eq!(client.send(line).unwrap().escape_ascii().to_string(), answer, "{line}");
    }
}
