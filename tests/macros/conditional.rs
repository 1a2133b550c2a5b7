//! Keys within `#[cfg_attr]`, which the compiler resolves before a derive's macro and at a command's function.

use std::sync::atomic::AtomicU64;

use dockipc::{Arg, Args, Commands, Reply, Server, command};

#[derive(Arg)]
#[cfg_attr(all(), arg(ignore_case))]
enum Unit {
    #[cfg_attr(all(), arg(name = "metre", alias = "m"))]
    Meter,
}

#[derive(Args)]
struct Length {
    #[cfg_attr(all(), arg(long = "by"))]
    length: u64,
    #[cfg_attr(any(), arg(long))]
    unit: Unit,
}

#[derive(Commands)]
enum Action {
    #[cfg_attr(all(), command("widen"))]
    Stretch {
        #[cfg_attr(all(), arg(long))]
        by: u8,
    },
}

#[derive(Reply)]
#[cfg_attr(all(), dockipc(table))]
struct Measured {
    #[cfg_attr(all(), dockipc(name = "in-m"))]
    meters: u64,
}

#[cfg_attr(any(), command("unmeasured"))]
#[cfg_attr(all(), command("measured"))]
fn measure(length: Length) -> Vec<Measured> {
    let Unit::Meter = length.unit;
    vec![Measured { meters: length.length }]
}

#[command("conditional-action")]
fn act(action: Action) -> u8 {
    let Action::Stretch { by } = action;
    by
}

#[test]
fn conditional_keys_are_seen() {
    let daemon = Server::new().state(AtomicU64::new(0)).spawn_in_process().unwrap();
    let client = daemon.client();
    assert_eq!(client.send("measured --by 7 M").unwrap(), b"in-m\n7\n");
    assert!(client.send("unmeasured --by 7 m").is_err());
    assert_eq!(client.send("conditional-action widen --by 3").unwrap(), b"3");
}
