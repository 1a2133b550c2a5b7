//! A key-value store in memory, without the macro: one closure answers every command.
//!
//! `cargo run --example closure [SOCKET]`
//!
//! The commands have the names of Redis' own, so that `get` and `set` of any Redis client work.

use std::collections::BTreeMap;
use std::sync::Mutex;

use dockipc::error::code;
use dockipc::{Failure, IntoReply, Reply, Request, Server};

fn main() -> dockipc::Result<()> {
    let values = Mutex::new(BTreeMap::<Vec<u8>, Vec<u8>>::new());
    let answer = move |request: &Request<'_>| -> Result<Reply, Failure> {
        let mut values = values.lock()?;
        let words: Vec<&[u8]> = request.words().collect();
        // A fallback gets the name as sent, and many clients send upper case.
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
    examples::invite(&socket, ["set color blue", "get color", "keys"]);
    Server::with_handler(answer).run(socket)
}
