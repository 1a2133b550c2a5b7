//! Shared code of the examples: the path of the socket, and lines to try.

use std::path::{Path, PathBuf, absolute};

use dockipc::client::quote;

/// Returns the socket's path: the first argument, or the [`place`] of this name.
///
/// The path is absolute, so that the lines of [`invite`] work in every directory.
pub fn socket(name: &str) -> PathBuf {
    let given = std::env::args_os().nth(1).map(PathBuf::from);
    let socket = given.unwrap_or_else(|| place(name));
    absolute(&socket).unwrap_or(socket)
}

/// Returns `NAME.sock` in `$XDG_RUNTIME_DIR`, or else in `/tmp`.
pub fn place(name: &str) -> PathBuf {
    let directory = std::env::var_os("XDG_RUNTIME_DIR").filter(|directory| !directory.is_empty());
    Path::new(&directory.unwrap_or_else(|| "/tmp".into())).join(format!("{name}.sock"))
}

/// Prints lines to paste into another terminal: the first command goes through `nc`, the
/// second through `redis-cli`, the third through the example `client`.
pub fn invite(socket: &Path, [line, redis, ours]: [&str; 3]) {
    let line = format!("echo {} | nc -U SOCKET", quote(line));
    let redis = format!("redis-cli -s SOCKET {redis}");
    let ours = format!("cargo run -q --example client SOCKET {ours}");
    show(socket, &[&line, &redis, &ours]);
}

/// Prints lines to paste into another terminal, with the socket's path in place of `SOCKET`.
pub fn show(socket: &Path, lines: &[&str]) {
    let socket = socket.to_string_lossy();
    let socket = quote(&socket);
    println!("In another terminal:");
    for line in lines {
        println!("  {}", line.replace("SOCKET", &socket));
    }
}
