//! The macros of `dockipc`: `#[command]` and `#[derive(Arg)]`.
//!
//! They are used through `dockipc`, which has the same version. The way of the data: `attr` is
//! what the author wrote (`rule` who may run it), `command` what is meant, `expand` what is generated; `choice` is
//! the derive.

#![forbid(unsafe_code)]

mod attr;
mod choice;
mod command;
mod expand;
mod rule;

use proc_macro::TokenStream;

/// Registers a function as a command.
///
/// ```ignore
/// /// Say hello.
/// #[command]                                  // the function's name, `_` as `-`
/// #[command("greet")]                         // a name
/// #[command("greet", alias = "hi", hidden)]   // another name; not in lists
/// #[command("mute", idempotent)]              // to run it twice is the same as once
/// #[command("stop", allow = "uid:root | group:adm | owner")] // who may run it
/// ```
///
/// The function stays as it is. The first paragraph of its doc comment is its summary, the rest its
/// help. If the crate `dockipc` has another name here, say so: `crate = other_name`.
///
/// A command is a free function. On one in an `impl` block the compiler complains of a constant
/// without a name, since a macro can't see where it stands.
///
/// # Idempotent
/// By `idempotent` the author says that to run the command twice, with the same words, is the same as
/// once: it reads, or it sets something to what the words say. When the answer to such a command is cut
/// off, because the daemon was restarted for example, `dockipc::Client` asks for it once more by
/// itself. Any other command that may have run is the caller's to decide about. It is shown in the
/// help and in the flags of `COMMAND`.
///
/// # Who may run it
/// Without a rule, whoever can open the socket. With `allow`, only who fits one of the parts of the rule;
/// root is no exception. It is checked before anything of the author's is run, parsing included.
///
/// | part | is |
/// | --- | --- |
/// | `uid:root`, `uid:0` | this user |
/// | `group:adm`, `group:4` | who is in this group, be it as a supplementary one |
/// | `owner` | the user that the daemon runs as |
/// | `token` | who has given the server's token |
/// | `any` | whoever can open the socket, where the server denies by default |
///
/// The names are looked up when the server starts. `Server::allow` gives a rule to several commands, or
/// another one to this.
///
/// # Names
/// Lower-case words of `a-z`, `0-9`, `.`, `_`, `:` and `-`, at most 64 bytes. The words that the
/// protocol needs can't be taken: `auth`, `client`, `command`, `config`, `dockipc`, `hello`,
/// `monitor`, `psubscribe`, `psync`, `publish`, `punsubscribe`, `quit`, `reset`, `select`,
/// `slowlog`, `spublish`, `ssubscribe`, `subscribe`, `sunsubscribe`, `sync`, `unsubscribe`.
/// `ping`, `echo`, `info` and `help` replace the built-in ones. redis-cli keeps `help`, `exit`,
/// `quit`, `clear`, `connect` and `restart` at its prompt for itself.
///
/// # Parameters
/// A type decides what is done: `State<T>`, `Peer` and `&Request` are injected, everything else is
/// parsed from a word (see the trait `Arg`). `Option<T>` may be left out; `Vec<T>` takes all words
/// that are left; `Vec<u8>` and `&[u8]` are the bytes of one word. A doc comment at a parameter is
/// its help.
///
/// | attribute | meaning |
/// | --- | --- |
/// | `#[arg(default = 5)]` | may be left out; a literal is read as if it had been sent, anything else is a value of the type |
/// | `#[arg(flag)]` | `--loud`, a `bool` |
/// | `#[arg(long)]` | `--times 3` and `--times=3`; a `Vec` takes every one, otherwise the last counts |
/// | `#[arg(rest)]` | the untouched rest of the line; in RESP the words that are left with a blank between them |
/// | `#[arg(complete = names)]` | Tab in the `dockipc` program proposes what `fn names(prefix: &str) -> Vec<String>` returns; it may also take `&Request` before |
/// | `#[arg(secret)]` | no error, help, or audit record shows the value; a `Secret<T>` is one by itself |
/// | `#[arg(from_str)]` | read through the type's `FromStr`, for types of other crates |
///
/// `flag = "name"` and `long = "name"` give an option another name. A command with options takes
/// `--` as their end.
#[proc_macro_attribute]
pub fn command(attr: TokenStream, item: TokenStream) -> TokenStream {
    command::command(attr.into(), item.into()).into()
}

/// Makes a type a parameter of commands.
///
/// On an enum of unit variants: each variant is a kebab-case word (`DryRun` is `dry-run`), or what
/// `#[arg(name = "word")]` at the variant says. On any type with `#[arg(from_str)]`: it is read
/// through its `FromStr`. If the crate `dockipc` has another name here: `#[arg(crate = other_name)]`.
#[proc_macro_derive(Arg, attributes(arg))]
pub fn derive_arg(item: TokenStream) -> TokenStream {
    choice::derive(item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
