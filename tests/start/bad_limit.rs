//! A default that its parameter's range does not have. No server of this program starts, so it has no other test.

use dockipc::{Error, Server, command};

#[command("add")]
fn add(#[arg(long, default = many(), range = 0..=100)] n: Vec<u64>) -> u64 {
    n.into_iter().sum()
}

/// Not seen by the macro.
fn many() -> Vec<u64> {
    vec![1, 200]
}

#[test]
fn default_out_of_range_is_refused_at_start() {
    let error = Server::new().spawn_in_process().map(drop).unwrap_err();
    let Error::BadDefault { command, param, reason, .. } = &error else { panic!("{error}") };
    assert_eq!((*command, *param), ("add", "n"));
    assert_eq!(reason, "expected 0 to 100");
}
