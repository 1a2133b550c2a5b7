//! No macro: one closure answers everything. A store of values in memory.
//!
//! `cargo run --example closure [SOCKET]`
//!
//! Redis' own commands have these names, so that `get` and `set` of any Redis client work as well.

use std::collections::BTreeMap;
use std::sync::Mutex;

use dockipc::error::code;
use dockipc::{Failure, IntoReply, Reply, Request, Server};

fn main() -> dockipc::Result<()> {
    let values = Mutex::new(BTreeMap::<Vec<u8>, Vec<u8>>::new());
    let answer = move |request: &Request<'_>| -> Result<Reply, Failure> {
        let mut values = values.lock()?;
        let words: Vec<&[u8]> = request.words().collect();
        // A fallback gets the name as it was sent, and many clients send capitals.
        Ok(match (&*request.name().to_ascii_lowercase(), &*words) {
            ("set", [key, value]) => {
                values.insert(key.to_vec(), value.to_vec());
                Reply::Ok
            }
            ("get", [key]) => values.get(*key).cloned().into_reply(),
            ("del", keys) => keys.iter().filter_map(|key| values.remove(*key)).count().into_reply(),
            ("keys", []) => values.keys().cloned().collect::<Vec<_>>().into_reply(),
            _ => {
                let usage = "usage: set <key> <value> | get <key> | del <key>… | keys";
                return Err(Failure::new(code::USAGE, usage));
            }
        })
    };

    let socket = examples::socket("closure");
    examples::invite(&socket, ["set colour blue", "get colour", "keys"]);
    Server::with_handler(answer).run(socket)
}
