//! Mistakes in enums that derive `Args`.

use dockipc::{Args, Peer};

#[derive(Args)]
enum Empty {}

#[derive(Args)]
enum Several {
    Range { from: u64, to: u64 },
    Pair(u64, u64),
}

#[derive(Args)]
enum Keys {
    #[arg(positional)]
    All,
    #[arg(long)]
    None,
    #[arg(default = 1)]
    Number(u64),
    #[arg(flag)]
    Loud(bool),
    #[arg(long, positional)]
    Ids(Vec<u64>),
}

#[derive(Args)]
enum Same {
    All,
    #[arg(flag = "all")]
    Every,
}

#[derive(Args)]
enum Types {
    Maybe(Option<u64>),
    Peer(Peer),
}

#[derive(Args)]
struct Common {
    name: String,
}

#[derive(Args)]
enum Nested {
    Common(Common),
}

#[derive(Args)]
enum List {
    #[arg(positional)]
    Ids(Vec<u64>),
    Names(Vec<String>),
}

fn main() {}
