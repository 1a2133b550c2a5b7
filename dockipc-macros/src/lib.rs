//! The macros of `dockipc`: `#[command]`, `#[client]`, `#[derive(Arg)]`, `#[derive(Args)]`, `#[derive(Commands)]`,
//! `#[derive(Events)]`, `#[derive(Failure)]` and `#[derive(Reply)]`. Use them through `dockipc`, which has the same version.
//!
//! This file is the driver. It passes the data through the layers below; on a mistake it emits the
//! author's item and then every error. Each file or folder imports only those of its row:
//!
//! | file | duty | imports |
//! | --- | --- | --- |
//! | `lib` | driver | `attr` `errors` `expand` `tokens` `validate` |
//! | `expand` | what is generated | `model` `rule` `tokens` |
//! | `validate` | every mistake, then the model | `attr` `errors` `model` `rule` `tokens` |
//! | `attr` | what the author wrote | `errors` `tokens` |
//! | `model` | what is meant | `rule` |
//! | `rule` | the rule in `allow` | `errors` |
//! | `errors`, `tokens` | helpers | |

#![forbid(unsafe_code)]

mod attr;
mod errors;
mod expand;
mod model;
mod rule;
mod tokens;
mod validate;

use proc_macro::TokenStream;
use proc_macro2::{Span, TokenStream as TokenStream2};
use quote::quote;
use syn::{DeriveInput, Error, ItemTrait};

use crate::attr::{
    ArgsAttrs, ClientAttrs, CommandAttrs, CommandsAttrs, EventsAttrs, FailureAttrs, ReplyAttrs,
    TypeAttrs,
};
use crate::errors::Errors;
use crate::tokens::{first_span, with_parentheses};

/// Registers a function as a command.
///
/// ```ignore
/// /// Say hello.
/// #[command]                                  // the function's name, with `-` for `_`
/// #[command("greet")]                         // a name
/// #[command("greet", alias = "hi", hidden)]   // another name; not in lists
/// #[command("group add")]                     // a name of two words: a command of the group `group`
/// #[command("mute", idempotent)]              // running it twice has the same effect as once
/// #[command("list", readonly)]                // it changes nothing, and so is idempotent too
/// #[command("wipe", destructive)]             // what it removes is lost
/// #[command("plus", since = "1.2", deprecated = "use add")]
/// #[command("stop", allow = "uid:root | group:adm | owner")] // the callers who may run it
/// ```
///
/// The function itself does not change. The first paragraph of its doc comment is the summary of the
/// command, the rest is its help. If the crate `dockipc` has another name in your crate, write
/// `crate = other_name`.
///
/// A command is a free function. If the attribute is on a function in an `impl` block, the compiler
/// reports a `const` item without a name, because a macro cannot see the block around it.
///
/// # Idempotent
/// `idempotent` declares that running the command twice with the same words has the same effect as
/// running it once: it only reads, or it sets something to what the words say. If the answer of such a
/// command is cut off, for example by a restart of the daemon, `dockipc::Client` sends the command once
/// more. For any other command that may have run, the caller decides. Help and the flags of `COMMAND`
/// show the mark.
///
/// # What callers should know
/// `readonly` declares that the command changes nothing; it implies `idempotent`. `destructive` declares that what the
/// command removes or overwrites is lost, so that programs for people ask first. `since` is the first version of your
/// daemon that has the command, and `deprecated` says what to use instead of it. Help, `DOCKIPC DESCRIBE` and
/// `COMMAND` show them: a command has the flag `readonly`, or else `write`.
///
/// # Commands that wait
/// A function may block: that delays no other client, but holds a thread. A command that takes a `Cancel`
/// learns when its client has left. One that returns a `Deferred` is answered later, from any thread, and
/// holds none.
///
/// An `async fn` is a command too. Its parameters may borrow (`&str`), and its future must be `Send`. With the
/// feature `tokio` the future runs on the tokio runtime around, or on one of the server's own (see
/// `Server::serve` and `Server::spawn`), and holds no thread while it waits. Without the feature a thread of the
/// server drives it, and a future that needs tokio panics (`-PANIC`). The future runs to its end, also if its
/// client leaves; with `abort` (`#[command("fetch", abort)]`) it is dropped when the command is asked to stop.
///
/// # Newest
/// `newest` declares that only the newest call of the command matters to a client, as for a search that runs as
/// one types. When a call begins, the earlier ones of the same client process that still run are cancelled and
/// answer `-CANCELLED`. The kernel tells the process when a connection is opened: its user and its process id.
/// So this works over any number of connections, of any client library; behind a proxy, all clients are one
/// process. On one connection a command begins only when the one before it has ended. The command must be one
/// that can be stopped: it takes a `Cancel`, returns a `Deferred`, or is an `async fn` with `abort`.
///
/// # Permissions
/// A command without a rule can be run by every client that can connect. A command with `allow` can be
/// run only by clients that match one of the rule's parts; root is no exception. The rule is checked
/// before any code of yours runs, including the parsing of parameters.
///
/// | part | matches |
/// | --- | --- |
/// | `uid:root`, `uid:0` | this user |
/// | `group:adm`, `group:4` | members of this group, supplementary groups included |
/// | `group:"domain users"`, `uid:"CORP\ada"` | the same, for a name that has other characters than letters, digits, `_`, `-` and `.` |
/// | `owner` | the effective user of the daemon when the server started; a later setuid(2) changes nothing |
/// | `token` | clients that have given the server's token |
/// | `any` | every client that can connect, if the server denies by default |
///
/// The names are looked up when the server starts. In a user namespace a part that is the overflow id
/// (65534, often `nobody` and `nogroup`) is refused then, because every user without a number there has
/// it. `Server::allow` sets one rule for several commands,
/// or replaces the rule of this one.
///
/// # Names
/// A name has at most 64 bytes of `a-z`, `0-9`, `.`, `_`, `:` and `-`, and begins with a letter or a
/// digit. It may have two such words with one blank between, `group add`; so may an alias. The first word is then
/// the name of a group: `group` alone, and `help group`, list its commands. Clients send the two words apart, or as
/// one word with the blank. Rules, hooks, audit records and `Request::name` have the full name, and
/// `Server::allow("group *", …)` gives a rule to the whole group. A server does not start if a group has the name of
/// a command. Names that the protocol uses are reserved: `acl`, `auth`, `client`, `command`, `config`,
/// `dockipc`, `hello`, `latency`, `monitor`, `psubscribe`, `psync`, `publish`, `pubsub`, `punsubscribe`, `quit`,
/// `reset`, `select`, `slowlog`, `spublish`, `ssubscribe`, `subscribe`, `sunsubscribe`, `sync`, `unsubscribe`.
/// `ping`, `echo`, `info` and `help` replace the built-in commands. `exec`, `discard` and `watch` can be
/// commands too; after `MULTI`, the first two end the transaction. A command `multi` takes transactions
/// away from Redis clients. At its prompt redis-cli handles `help`, `exit`, `quit`, `clear`, `connect`
/// and `restart` itself.
///
/// Some Redis clients convert the answers of Redis' own commands by their names, or raise an error:
/// redis-py makes a pair of `time`'s answer and a `bool` of `save`'s. The compiler warns at such a name; to
/// keep it, for example because no such client calls the command, put `#[allow(deprecated)]` on the
/// function. (A macro can emit no other warning than that of a deprecated item.) StackExchange.Redis sends
/// `get __Booksleeve_TieBreak` when it connects, so a command `get` runs then.
///
/// # Parameters
/// The type decides how a parameter gets its value: `State<T>`, `Peer`, `Cancel`, `Deadline`, `Stop` and
/// `&Request` are injected, any other type is parsed from a word (see the trait `Arg`). `Option<T>` may be left out; `Vec<T>` takes
/// all remaining words, and so do `HashMap<K, V>` and `BTreeMap<K, V>`, each word `KEY=VALUE`: the first `=` ends the key, and a
/// key that is given twice is refused. `Vec<u8>` and `&[u8]` are the bytes of one word. A type that derives `Args` is several
/// parameters, and one that derives `Commands` makes each of its variants a command. The doc comment at a parameter
/// is its help.
///
/// | attribute | meaning |
/// | --- | --- |
/// | `#[arg(default = 5)]` | may be left out; a literal is parsed as if the client had sent it, any other expression is a value of the type; help shows the value, and evaluates the expression for that |
/// | `#[arg(flag)]` | `--loud`, a `bool` |
/// | `#[arg(long)]` | `--times 3` and `--times=3`; a `Vec` takes every occurrence, any other type the last one |
/// | `#[arg(short)]`, `#[arg(short = 'n')]` | `-n 3` and `-n3`, beside `--times`; with `flag`, `-v`, and several as in `-vx`. Without `= 'n'`, the first letter of the long name |
/// | `#[arg(name = "word")]` | the name that clients see, in place of the parameter's |
/// | `#[arg(last)]` | a `Vec` of all words behind `--`: the words of another command line. Their bytes and boundaries are kept, and none is an option |
/// | `#[arg(rest)]` | the unchanged rest of the line; in RESP the remaining words, joined by one blank |
/// | `#[arg(range = 0..=100)]` | the numbers that are accepted, integers or floats: also `1..`, `..=9`, `-5..5` and `0.0..1.0` |
/// | `#[arg(min_len = 1, max_len = 64)]` | the fewest and the most bytes of a text, of bytes or of a path |
/// | `#[arg(min = 1, max = 3)]` | the fewest and the most words of a `Vec` or a map; with `min = 1` it cannot be left out |
/// | `#[arg(pattern = "[a-z]+")]` | a regular expression that must match the whole text; requires the feature `pattern` |
/// | `#[arg(absolute)]` | a path that begins with `/`; the program `dockipc` makes a path absolute, by the caller's directory |
/// | `#[arg(caller = "cwd")]` | an option, a path, for which the program `dockipc` sends the caller's directory unless it is given; from other clients it is missing, or `None` |
/// | `#[arg(caller = "env")]` | an option, a map, for which it sends the caller's environment; from other clients it is empty |
/// | `#[arg(complete = names)]` | Tab in the `dockipc` program proposes the words that `fn names(prefix: &str) -> Vec<String>` returns; the function can also take `&Request` as its first parameter |
/// | `#[arg(secret)]` | errors, help and audit records hide the value; a `Secret<T>` is always hidden |
/// | `#[arg(from_str)]` | parsed through the type's `FromStr`, for types of other crates; also in an `Option` or a `Vec`. Help lists no words |
///
/// `flag = "name"` and `long = "name"` set the name of the option. The first `--` ends the options and is not
/// a value. In front of the words, that holds also for a command without options, so that an option can be added
/// later. A `--` within `#[arg(rest)]` is text.
///
/// The keys from `range` to `absolute` apply to the value of an `Option`, to each item of a `Vec`, and to a default: a
/// server does not start with a default that they refuse. Help, `COMMAND DOCS` and `DOCKIPC DESCRIBE` show them, and
/// `dockipc schema --check` reports a narrower one. The message about a refused value does not show that of a secret.
///
/// In a command with a short option, a word that begins with `-` and a letter is an option, and an unknown one is refused.
/// A short name is a letter, so `-5` is always a number, and `-` alone is a word. In a command without short options
/// all of them are words.
#[proc_macro_attribute]
pub fn command(attr: TokenStream, item: TokenStream) -> TokenStream {
    expand_command(attr.into(), item.into()).into()
}

/// Is `command` where dockipc has no server: reports the feature that is missing.
#[doc(hidden)]
#[proc_macro_attribute]
pub fn command_without_server(_: TokenStream, item: TokenStream) -> TokenStream {
    let message = "`#[command]` needs the feature `server` of dockipc, which is on by default: remove \
        `default-features = false`, or add `features = [\"server\"]`";
    let error = Error::new(Span::call_site(), message).into_compile_error();
    let item = TokenStream2::from(item);
    quote!(#item #error).into()
}

/// Makes a typed client of a trait: each method calls a command.
///
/// ```ignore
/// #[dockipc::client]
/// pub trait Hits {
///     /// Adds `n` to the counter.
///     fn add(&self, n: u64) -> dockipc::Result<u64>;
///
///     /// Follows a file.
///     #[command("log tail", idempotent)]
///     fn tail(&self, path: &Path, #[arg(long)] lines: Option<u32>) -> dockipc::Result<Items<String>>;
/// }
///
/// let hits = HitsClient::new(dockipc::Client::new("/run/hitd.sock"));
/// hits.add(2)?;
/// assert_eq!(hits.check()?, []);
/// ```
///
/// The trait does not change, so that code can take an `impl Hits` or a `&dyn Hits`, and a test can implement it by
/// hand. `HitsClient` implements it: `HitsClient::new` takes a `dockipc::Client`, with its timeouts and its token,
/// and `client()` returns it. With `async fn` for all methods, `HitsClient` is made of a `dockipc::AsyncClient`
/// (feature `tokio`), and each method of the trait returns `impl Future + Send`.
///
/// # Methods
/// A method has the name of its command with `_` for `-`, or `#[command("name")]`; a name can have two words. It
/// returns `dockipc::Result<T>`, or a `Result` whose error is made from `dockipc::Error`: `T` is a type that an
/// answer can be converted to (`FromReply`), or `dockipc::client::Items<T>` for a stream, `AsyncItems<T>` in an async
/// trait. `#[command(idempotent)]` declares that a call may be repeated if its answer is cut off. A method with a body
/// is left as it is.
///
/// # Parameters
/// A parameter is sent by its type (`ToArgs`): text, bytes, paths, numbers and so on, by value or borrowed. `None`
/// sends nothing, and `&[T]` a word for each item. `#[derive(Arg)]` makes a type that can be sent.
///
/// | attribute | meaning |
/// | --- | --- |
/// | `#[arg(long)]`, `#[arg(long = "name")]` | an option with a value |
/// | `#[arg(flag)]`, `#[arg(flag = "name")]` | a flag, from a `bool` |
/// | `#[arg(rest)]` | the rest of the line |
/// | `#[arg(last)]` | a list of words behind `--`, those of another command line |
/// | `#[arg(body)]` | the body of the call, from a reader: `impl Read + Send`, or `&mut (dyn Read + Send)`; of an `async fn`: `impl AsyncRead + Send`, or `&mut (dyn AsyncRead + Send + Unpin)` |
/// | `#[arg(items)]` | the items of the call's body: `impl Iterator<Item = T> + Send`, or `&mut (dyn Iterator<Item = T> + Send)` |
/// | `#[arg(absolute)]` | a path, which is made absolute against the directory of the process |
/// | `#[arg(caller = "cwd")]` | an `Option` of a path: `None` sends the directory of the process |
/// | `#[arg(caller = "env")]` | a map: an empty one sends the environment of the process, but only to a daemon of root, of this user, or of one that `Client::require_owner` names; an `Option` sends it for `None` |
/// | `#[arg(name = "word")]` | another name than the parameter's |
///
/// # Check
/// `check()` compares the trait with what the daemon says about its commands, and returns each difference as a
/// sentence: a command that is missing or deprecated, a parameter that the daemon does not have, needs, or has with
/// another type, items of a body that the daemon does not read, an answer that the method's type does not accept, a
/// stream, an `idempotent` that the daemon does not confirm. What an older daemon does not describe is no difference, and
/// neither are defaults and the limits of values (`range`, `max_len`, `pattern`), which a trait does not declare.
/// `dockipc schema --rust SOCK` prints a trait that fits.
///
/// If the crate `dockipc` has another name in your crate, write `#[client(crate = other_name)]`. A command named
/// `check` is called with `Hits::check(&hits)`.
#[proc_macro_attribute]
pub fn client(attr: TokenStream, item: TokenStream) -> TokenStream {
    expand_client(attr.into(), item.into()).into()
}

/// Implements `Arg`, so that commands can have parameters of the type.
///
/// On an enum of unit variants, each variant is one word: its name in kebab case (`DryRun` is
/// `dry-run`), or the word in `#[arg(name = "word")]` at the variant. `#[arg(alias = "int", alias = "2")]` at a variant adds words for it, and with
/// `#[arg(ignore_case)]` at the enum all words are accepted in any case of ASCII letters. A type of any other kind needs
/// `#[arg(from_str)]`, and is then parsed through its `FromStr`. Help and completion list the words of the variants,
/// but not those that a `FromStr` accepts: implement `Arg` with its `CHOICES` for that. If the crate `dockipc` has another name
/// in your crate, write `#[arg(crate = other_name)]`.
#[proc_macro_derive(Arg, attributes(arg))]
pub fn derive_arg(item: TokenStream) -> TokenStream {
    expand_arg(item.into()).unwrap_or_else(Error::into_compile_error).into()
}

/// Makes a type a group of parameters, which commands take in the place of one.
///
/// The fields of a **struct** are parameters, with doc comments and `#[arg(…)]` as at a function. Several commands
/// can have the same group, beside parameters of their own, and a field can be a group itself:
///
/// ```ignore
/// /// How a command waits.
/// #[derive(Args)]
/// struct Waiting {
///     /// How long it waits.
///     #[arg(long, default = "5s")]
///     timeout: Duration,
///     /// It says nothing.
///     #[arg(flag)]
///     quiet: bool,
/// }
///
/// /// End a task: `kill 7 --timeout 1m`.
/// #[command]
/// fn kill(tasks: State<Tasks>, id: u64, waiting: Waiting) { todo!() }
/// ```
///
/// Of an **enum**, a client gives exactly one variant. Help shows `(--group <group> | --all | <ids>…)`:
///
/// ```ignore
/// #[derive(Args)]
/// enum Selection {
///     /// The tasks of a group.
///     Group(String),      // --group NAME; also `Group { #[arg(long = "in")] group: String }`
///     /// All tasks.
///     All,                // --all
///     /// These tasks.
///     Ids(Vec<u64>),      // the words: a `Vec` in the last variant
/// }
///
/// #[command]
/// fn pause(tasks: State<Tasks>, selection: Selection) { todo!() }
/// ```
///
/// A call without any, or with two, is refused with a sentence that lists them. An `Option<Selection>` may be left out; write it
/// so, because the macro goes by the name `Option`. `#[arg(long = "name")]`, `#[arg(flag = "name")]` and `#[arg(positional)]` at a variant
/// say how it is given.
///
/// Help, completion and the description of a command show the parameters as if they were written at the function. Two with one name
/// are a compile error. A client sends such a value by `Call::give`. Two optional parameters that are words in their places can't be told
/// apart if only the second is given: make the second one `long`. If the crate `dockipc` has another name in your crate, write
/// `#[arg(crate = other_name)]` at the type.
#[proc_macro_derive(Args, attributes(arg))]
pub fn derive_args(item: TokenStream) -> TokenStream {
    expand_args(item.into()).unwrap_or_else(Error::into_compile_error).into()
}

/// Makes each variant of an enum a command.
///
/// A variant has the name of a command in kebab case, and its doc comment is the help. Its fields are the parameters, with
/// `#[arg(…)]` as at a function; one field without a name is a type that derives `Args`.
///
/// ```ignore
/// /// The actions of the user interface.
/// #[derive(Commands)]
/// #[command(prefix = "action")]
/// enum Action {
///     /// Focus a window.
///     FocusWindow {
///         /// The window's number.
///         #[arg(long)]
///         id: u64,
///     },
///     /// Start a program.
///     Spawn { command: Vec<String> },
///     #[command("leave", alias = "exit", allow = "owner")]
///     Quit,
/// }
///
/// #[command]
/// fn action(ui: Local<'_, Ui>, action: Action) -> Result<(), Failure> { todo!() }
/// ```
///
/// The daemon then has the commands `action focus-window`, `action spawn` and `action leave`, and `action` alone lists them. With
/// `#[command(flatten)]` at the function, and without `prefix`, they are `focus-window`, `spawn` and `leave`. The other parameters of the function
/// are injected. It can be async, and its answer is that of each command.
///
/// The function may also have required words in front of the enum, which all commands have. `fn output(name: String, action:
/// OutputAction)` has the command `output off`, and a call has its word in the middle of the name or behind it: `output eDP-1 off` or
/// `output off eDP-1`. A word that is the name of a variant, or begins with `-`, is only given behind. In a client's trait, the
/// method `fn output(&self, name: &str, action: OutputAction)` sends any value.
///
/// | at a variant | meaning |
/// | --- | --- |
/// | `"name"`, `alias = "…"` | the command's name, and others |
/// | `hidden`, `idempotent`, `readonly`, `destructive` | as at a function; what the function has holds for all |
/// | `allow = "…"`, `since = "…"`, `deprecated = "…"` | as at a function, instead of the function's |
///
/// The enum can be in a crate that the daemon and its clients share. `Client::request(Action::Spawn { … })` calls the command: its name has
/// the enum's `prefix` in front, which the function must have as its name. (Without `prefix`, an enum can also be under the name of a function,
/// but then `request` does not know that name.) The trait of the same name, `dockipc::Commands`, has
/// `Action::from_words` and `to_words`, for a file of settings and a command line. If the crate `dockipc` has another name
/// in your crate, write `#[command(crate = other_name)]` at the enum.
#[proc_macro_derive(Commands, attributes(command, arg))]
pub fn derive_commands(item: TokenStream) -> TokenStream {
    expand_commands(item.into()).unwrap_or_else(Error::into_compile_error).into()
}

/// Declares event channels: one for each variant of an enum.
///
/// ```ignore
/// /// The events of the jobs.
/// #[derive(Events)]
/// enum JobEvent {
///     /// A job is done.
///     #[event("jobs.done", allow = "group:adm", when_full = "end")]
///     Done(u64),
///     /// A job has failed.
///     #[event("jobs.failed")]
///     Failed(JobFailure),         // any type that a command can answer with
///     /// No job is left.
///     JobsIdle,                   // the channel `jobs-idle`, without a value
/// }
///
/// events.emit(JobEvent::Done(7)); // as events.publish("jobs.done", 7)
/// ```
///
/// A program with such an enum has events. `DOCKIPC DESCRIBE --channels` describes the channels that the caller may
/// hear: the doc comment, and the type of the value. A variant has one field without a name, or none.
///
/// | key | meaning |
/// | --- | --- |
/// | `"jobs.done"` | the channel's name, with the characters of a command's; without it, the variant's name in kebab case |
/// | `allow = "…"` | who may hear the channel, a rule as in `#[command(allow = "…")]`; `Server::allow_channel` replaces it |
/// | `when_full = "end"` | what happens when a client is too slow: its subscription ends, or, with `"drop"`, the oldest events are dropped, as without the key; `Events::when_full` replaces it |
///
/// A server does not start if two enums declare one channel. If the crate `dockipc` has another name in your crate,
/// write `#[event(crate = other_name)]` at the enum.
#[proc_macro_derive(Events, attributes(event))]
pub fn derive_events(item: TokenStream) -> TokenStream {
    expand_events(item.into()).unwrap_or_else(Error::into_compile_error).into()
}

/// Gives codes to the errors of a type, so that a failed command answers `-NOTFOUND no note 9` and not
/// `-ERR no note 9`.
///
/// ```ignore
/// #[derive(Debug, Failure, thiserror::Error)]
/// enum NoteError {
///     #[error("no note {0}")]
///     #[code("NOTFOUND")]
///     Missing(u64),
///     #[error("{0}")]
///     Io(#[from] std::io::Error),
/// }
/// ```
///
/// A command can return the type itself, or `Failure`, to which `?` converts it. The message is the type's
/// `Display`. A code at the type is that of a struct, or of the variants without one of their own;
/// otherwise these have `ERR`. `#[code(transparent)]` gives a variant the code of its only field, whose type derives
/// `Failure` too. A code has letters of `A-Z`, digits and `_`. Codes on which Redis clients
/// act by themselves, such as `LOADING`, are refused. If the crate `dockipc` has another name in your crate,
/// write `#[code(crate = other_name)]` at the type.
///
/// In a `Box<dyn Error>` or an `anyhow::Error` the type is hidden, and the code is `ERR`.
#[proc_macro_derive(Failure, attributes(code))]
pub fn derive_failure(item: TokenStream) -> TokenStream {
    expand_failure(item.into()).unwrap_or_else(Error::into_compile_error).into()
}

/// Implements `IntoReply` and `FromReply`, so that commands can answer with the type and clients can read it.
///
/// ```ignore
/// #[derive(Reply)]
/// struct Job {
///     id: u64,
///     state: JobState,
///     name: Option<String>,
/// }
///
/// #[derive(Arg, Reply)]
/// enum JobState {
///     Queued,
///     #[arg(name = "active")]
///     Running,
/// }
/// ```
///
/// A struct is a map of its named fields. When it is read, unknown fields are ignored, and a missing one is
/// an error unless it is an `Option`. A struct with one field without a name is that field's value, with several a
/// list of fixed length as a tuple is, and a unit struct is no value, as `()` is. A struct may hold values of its own
/// type in fields with names, written without a path; of two types that hold each other, implement the traits of one
/// by hand.
///
/// Each level of a value within values takes a part of the thread's stack, here and where the value is dropped: a debug build
/// has room for about 2,000 levels. Bound the depth where a client decides it, as `Json` and `MsgPack` do, which read 128
/// levels.
///
/// A variant without fields is a word: its name in kebab case, the word that `#[derive(Arg)]` accepts. Any other
/// variant is a map of one entry, from the word to the value, which the variant's fields make as a struct's do:
///
/// ```ignore
/// #[derive(Reply)]
/// enum Target {
///     Nobody,                         // nobody
///     Group(String),                  // group => "staff"
///     Point { x: i64, y: i64 },       // point => { x => 1, y => 2 }
///     #[dockipc(other)]
///     Unknown(String),                // a word or a variant that this version does not know
/// }
/// ```
///
/// In line mode that is the word, a tab and the columns of the value. The variants may have different numbers of
/// columns, so put such a value last in a row.
///
/// A type may have parameters, which then must be answers too: `struct Page<T> { items: Vec<T>, next: Option<u64> }`.
/// A type with a field that cannot be read, such as a `&str`, implements `IntoReply` alone.
///
/// | attribute | meaning |
/// | --- | --- |
/// | `#[dockipc(name = "word")]` at a field or a variant | its name on the wire; at a variant, `#[arg(name = "word")]` is the same, and an `#[arg(alias = "word")]` is read as well |
/// | `#[dockipc(other)]` at a variant | words and variants that this version does not know are read as this one: a unit variant, or one that holds the word in a `String`, without the value |
/// | `#[dockipc(table)]` at a struct with named fields | in line mode, a list or a stream of it is a table: a row with the names of the fields, and then the values of each, separated by tabs |
/// | `#[dockipc(crate = other_name)]` at the type | the name that the crate `dockipc` has in your crate |
///
/// The doc comments of variants and of fields with names are in the description of a command, which `dockipc help` and the
/// printed clients show.
///
/// `dockipc schema --check` reports a new variant as a change that can break callers, unless the enum had an `other`.
#[proc_macro_derive(Reply, attributes(arg, dockipc))]
pub fn derive_reply(item: TokenStream) -> TokenStream {
    expand_reply(item.into()).unwrap_or_else(Error::into_compile_error).into()
}

fn expand_args(item: TokenStream2) -> syn::Result<TokenStream2> {
    let input: DeriveInput = syn::parse2(item)?;
    let mut errors = Errors::default();
    let attrs = ArgsAttrs::of(&input, &mut errors);
    let krate = validate::args_crate(&attrs.keys);
    Ok(match validate::args(attrs, &input, errors) {
        Ok(model) => expand::args(&model),
        Err(errors) => {
            let (errors, stub) = (errors.into_compile_error(), expand::args_stub(&input, &krate));
            quote!(#errors #stub)
        }
    })
}

fn expand_commands(item: TokenStream2) -> syn::Result<TokenStream2> {
    let input: DeriveInput = syn::parse2(item)?;
    let mut errors = Errors::default();
    let attrs = CommandsAttrs::of(&input, &mut errors);
    let krate = validate::commands_crate(&attrs.keys);
    Ok(match validate::commands(attrs, &input, errors) {
        Ok(model) => expand::commands(&model),
        Err(errors) => {
            let stub = expand::commands_stub(&input, &krate);
            let errors = errors.into_compile_error();
            quote!(#errors #stub)
        }
    })
}

fn expand_reply(item: TokenStream2) -> syn::Result<TokenStream2> {
    let input: DeriveInput = syn::parse2(item)?;
    let mut errors = Errors::default();
    let attrs = ReplyAttrs::of(&input, &mut errors);
    let krate = validate::reply_crate(&attrs.keys);
    Ok(match validate::reply(attrs, &input, errors) {
        Ok(model) => expand::reply(&model),
        Err(errors) => {
            let (errors, stub) = (errors.into_compile_error(), expand::reply_stub(&input, &krate));
            quote!(#errors #stub)
        }
    })
}

fn expand_events(item: TokenStream2) -> syn::Result<TokenStream2> {
    let input: DeriveInput = syn::parse2(item)?;
    let mut errors = Errors::default();
    let attrs = EventsAttrs::of(&input, &mut errors);
    let krate = validate::events_crate(&attrs.keys);
    Ok(match validate::events(attrs, &input, errors) {
        Ok(model) => expand::events(&model),
        Err(errors) => {
            let (errors, stub) = (errors.into_compile_error(), expand::events_stub(&input, &krate));
            quote!(#errors #stub)
        }
    })
}

fn expand_failure(item: TokenStream2) -> syn::Result<TokenStream2> {
    let input: DeriveInput = syn::parse2(item)?;
    let mut errors = Errors::default();
    let attrs = FailureAttrs::of(&input, &mut errors);
    Ok(expand::failure(&validate::failure(attrs, &input, errors)?))
}

fn expand_command(attr: TokenStream2, item: TokenStream2) -> TokenStream2 {
    let item = with_parentheses(item);
    let mut function = match attr::function(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let error = error.into_compile_error();
            return quote!(#item #error);
        }
    };
    let mut errors = Errors::default();
    let attrs = CommandAttrs::take(attr, &mut function, &mut errors);
    let generated = match validate::command(attrs, &function, errors) {
        Ok(model) => expand::command(&model),
        Err(errors) => errors.into_compile_error(),
    };
    quote!(#function #generated)
}

fn expand_client(attr: TokenStream2, item: TokenStream2) -> TokenStream2 {
    let mut trait_item: ItemTrait = match syn::parse2(item.clone()) {
        Ok(parsed) => parsed,
        Err(error) => {
            let error = match syn::parse2::<syn::Item>(item.clone()) {
                Ok(_) => Error::new(first_span(&item), "`#[client]` can only be on a trait"),
                Err(_) => error,
            };
            let error = error.into_compile_error();
            return quote!(#item #error);
        }
    };
    let mut errors = Errors::default();
    let attrs = ClientAttrs::take(attr, &mut trait_item, &mut errors);
    let generated = match validate::client(attrs, &mut trait_item, errors) {
        Ok(model) => expand::client(&model),
        Err(errors) => errors.into_compile_error(),
    };
    quote!(#trait_item #generated)
}

fn expand_arg(item: TokenStream2) -> syn::Result<TokenStream2> {
    let input: DeriveInput = syn::parse2(item)?;
    let mut errors = Errors::default();
    let attrs = TypeAttrs::of(&input, &mut errors);
    let krate = validate::arg_crate(&attrs.keys);
    Ok(match validate::arg(attrs, &input, errors) {
        Ok(model) => expand::arg(&model),
        Err(errors) => {
            let (errors, stub) = (errors.into_compile_error(), expand::arg_stub(&input, &krate));
            quote!(#errors #stub)
        }
    })
}
