//! A default that its parameter's type does not accept. No server of this program starts, so it has no
//! other test.

use dockipc::{Error, Server, command};

#[command("add")]
fn add(#[arg(default = "two")] n: Count) -> Count {
    n
}

/// Another name of the type, so that the macro does not check the default.
type Count = u64;

#[test]
fn bad_default_is_refused_with_parameter_and_reason() {
    let error = Server::new().spawn_in_process().map(drop).unwrap_err();
    let Error::BadDefault { command, place, param, reason } = &error else { panic!("{error}") };
    assert_eq!((*command, *param), ("add", "n"));
    assert_eq!(*place, concat!(file!(), ":6"));
    assert_eq!(reason, "expected an integer from 0 to 18446744073709551615");
    assert!(error.to_string().contains("invalid default for `n`"), "{error}");
}
