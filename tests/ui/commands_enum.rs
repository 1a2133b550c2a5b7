//! Mistakes in enums that derive `Commands`.

use dockipc::{Args, Commands, Peer};

#[derive(Commands)]
struct Struct {
    id: u64,
}

#[derive(Commands)]
enum Empty {}

#[derive(Commands)]
enum Names {
    #[command("Focus")]
    Focus,
    #[command("move", alias = "move")]
    Move,
    MoveTo,
    #[command("move-to")]
    Other,
}

#[derive(Commands)]
#[command(name = "x", prefix = "a b")]
enum Keys {
    #[command(abort)]
    One,
    #[command(hiden)]
    Two,
    #[command(allow = "nobody")]
    Three,
}

#[derive(Commands)]
enum Fields {
    Pair(u64, u64),
}

#[derive(Commands)]
enum Types {
    Number(u64),
    Peer { peer: Peer },
    Order { rest: Vec<u64>, last: u64 },
}

#[derive(Args)]
struct Place {
    #[arg(long)]
    column: u64,
}

#[derive(Commands)]
enum Same {
    Move {
        #[arg(long)]
        column: u64,
        place: Place,
    },
}

fn main() {}
