//! A text that the users of a machine share, with limits: how often each user may call, and one editor at a time.
//!
//! `cargo run --example limits [SOCKET [SLOW]]`
//!
//! A command that takes `SLOW` milliseconds or longer, by default 100, is logged to standard error.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dockipc::hooks::Call;
use dockipc::{Failure, Peer, Server, State, command};

/// The calls that a user may make at once.
const BURST: f64 = 20.0;
/// The calls a second that a user may make after that.
const RATE: f64 = 5.0;

/// The text, and the user who edits it.
#[derive(Default)]
struct Document {
    text: Mutex<String>,
    editor: Mutex<Option<u32>>,
}

/// The right to edit. It ends with the connection of the client that has it.
struct Editing(State<Document>);

impl Drop for Editing {
    fn drop(&mut self) {
        *lock(&self.0.editor) = None;
    }
}

/// Begin to edit. It ends with `done`, or when the connection ends.
///
/// A line of `nc` is a connection of its own: use a Redis client, or `dockipc shell`.
#[command]
fn edit(document: State<Document>, peer: Peer) -> Result<(), Failure> {
    let mut editor = lock(&document.editor);
    if let Some(uid) = *editor {
        return Err(Failure::new("LOCKED", format!("uid {uid} edits")));
    }
    *editor = Some(peer.uid());
    drop(editor);
    peer.hold(Editing(document.clone()));
    Ok(())
}

/// End to edit, with a new text.
#[command]
fn done(
    document: State<Document>,
    peer: Peer,
    /// The text, to the end of the line
    #[arg(rest)]
    text: String,
) -> Result<(), Failure> {
    let why = || Failure::new("NOTEDITING", "send `edit` first, on the same connection");
    // Until the end of the function, nobody else edits.
    let _editing = peer.release::<Editing>().ok_or_else(why)?;
    *lock(&document.text) = text;
    Ok(())
}

/// Answer with the text.
#[command(idempotent)]
fn show(document: State<Document>) -> String {
    lock(&document.text).clone()
}

/// List how often each command has ended in each way: `OK`, or a code.
#[command(allow = "owner | uid:root", idempotent)]
fn stats(ends: State<Ends>) -> Vec<(String, String, u64)> {
    let ends = lock(&ends.0);
    ends.iter().map(|((name, code), count)| (name.clone(), code.clone(), *count)).collect()
}

/// The number of ends of each command, by code.
#[derive(Clone, Default)]
struct Ends(Arc<Mutex<BTreeMap<(String, String), u64>>>);

/// The calls that each user has left: a token bucket each.
#[derive(Default)]
struct Buckets(Mutex<BTreeMap<u32, Bucket>>);

struct Bucket {
    left: f64,
    since: Instant,
}

impl Buckets {
    /// Takes a call from the caller's bucket.
    fn take(&self, call: &Call<'_>) -> Result<(), Failure> {
        // Who looks for the reason must not be kept out.
        if call.name() == "stats" {
            return Ok(());
        }
        let now = Instant::now();
        let filled = |bucket: &Bucket| {
            let age = now.duration_since(bucket.since).as_secs_f64();
            (bucket.left + age * RATE).min(BURST)
        };
        let mut buckets = lock(&self.0);
        // A full bucket is like none, so that those of users who come and go take no memory.
        buckets.retain(|_, bucket| filled(bucket) < BURST);
        let left = buckets.get(&call.peer().uid()).map_or(BURST, filled);
        if left < 1.0 {
            let wait = ((1.0 - left) / RATE * 1000.0).ceil();
            let why = format!("{RATE} calls a second and user; try again in {wait} ms");
            return Err(Failure::new("RATELIMIT", why));
        }
        buckets.insert(call.peer().uid(), Bucket { left: left - 1.0, since: now });
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let socket = examples::socket("limits");
    let slow = std::env::args().nth(2).map_or(Ok(100), |text| text.parse())?;
    let slow = Duration::from_millis(slow);
    let (ends, buckets) = (Ends::default(), Buckets::default());
    let counted = ends.clone();
    let server = Server::new()
        .state(Document::default())
        .state(ends)
        .before(move |call| buckets.take(call))
        .after(move |call, outcome, _| {
            let code = outcome.code().unwrap_or("OK");
            let end = (call.name().to_owned(), code.to_owned());
            *lock(&counted.0).entry(end).or_default() += 1;
        })
        .after(move |call, outcome, took| {
            if took >= slow {
                let (name, uid, end) = (call.name(), call.peer().uid(), outcome.end());
                eprintln!("slow: {name} of uid {uid} took {took:?}: {end:?}");
            }
        });
    examples::invite(&socket, ["edit", "show", "stats"]);
    server.run(socket)?;
    Ok(())
}
