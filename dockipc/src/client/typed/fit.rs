//! Compares a client's trait with the daemon's description of its commands.

use std::collections::BTreeMap;
use std::fmt;

use super::answer::answer;
use super::{Client, Method, parameter};
use crate::error::Result;
use crate::reply::Reply;

/// A difference between a client's trait and its daemon: a sentence that begins with the command's name.
///
/// ```text
/// add: <n> is of the type text in the trait, and integer in the daemon
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Difference(String);

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The sentence, so that a failed `assert_eq!(hits.check()?, [])` can be read.
impl fmt::Debug for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Asks the daemon for its description, and compares the methods with it.
pub fn check(client: &Client, methods: &[Method]) -> Result<Vec<Difference>> {
    let call = client.command("dockipc").arg("describe");
    let described = call.args(methods.iter().flat_map(names)).call()?;
    let daemon = client.command("dockipc").args(["describe", "--daemon"]).call();
    Ok(differences(methods, described, daemon.unwrap_or_default()))
}

/// Asks the daemon for its description, and compares the methods with it.
#[cfg(feature = "tokio")]
pub async fn check_async(
    client: &super::AsyncClient,
    methods: &[Method],
) -> Result<Vec<Difference>> {
    let call = client.command("dockipc").arg("describe");
    let described = call.args(methods.iter().flat_map(names)).call().await?;
    let daemon = client.command("dockipc").args(["describe", "--daemon"]).call().await;
    Ok(differences(methods, described, daemon.unwrap_or_default()))
}

/// Returns the names of the commands that a method calls: several if it takes an enum of commands.
fn names(method: &Method) -> Vec<String> {
    let mut enums = method.params.iter().filter(|sent| !sent.gives.commands.is_empty());
    let Some(of) = enums.next() else { return vec![method.name.to_owned()] };
    of.gives.commands.iter().map(|name| format!("{} {name}", method.name)).collect()
}

fn differences(methods: &[Method], described: Described, daemon: Described) -> Vec<Difference> {
    let commands: Vec<_> = described.maps();
    let named = |name: &str| {
        let is_name = |(other, command): &&(String, Described)| {
            other.eq_ignore_ascii_case(name)
                || command.texts("aliases").iter().any(|alias| alias.eq_ignore_ascii_case(name))
        };
        commands.iter().find(is_name).map(|(_, command)| command)
    };
    // The trait may be for another version.
    let daemon = daemon.text("version").map(|version| format!("the daemon (version {version})"));
    let mut found = Vec::new();
    for (method, name) in
        methods.iter().flat_map(|method| names(method).into_iter().map(move |name| (method, name)))
    {
        let lines = match named(&name) {
            Some(command) => one(method, command),
            None => vec!["the daemon has no such command, or you may not run it".into()],
        };
        let sentence = |line: String| {
            let line = match &daemon {
                Some(daemon) => line.replacen("the daemon", daemon, 1),
                None => line,
            };
            Difference(format!("{name}: {line}"))
        };
        found.extend(lines.into_iter().map(sentence));
    }
    found
}

fn one(method: &Method, command: &Described) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(instead) = command.text("deprecated").filter(|_| !method.is_deprecated) {
        found.push(format!("the command is deprecated in the daemon: {instead}"));
    }
    if method.is_idempotent && command.is_not("idempotent") {
        found.push(
            "the trait promises `idempotent`, and the daemon does not: a repeated call may act twice"
                .into(),
        );
    }
    if command.knows("arguments") {
        found.extend(parameter::differences(method, &command.list("arguments")));
    }
    if let Some(described) = command.map("answer") {
        answer(method.answer, &described, "the answer", &mut found);
    }
    found
}

/// A map of a description. An older daemon has fewer keys, and a newer one more.
#[derive(Clone, Debug, Default)]
pub(super) struct Described(BTreeMap<String, Reply>);

impl crate::reply::FromReply for Described {
    fn from_reply(reply: Reply) -> Result<Self> {
        reply.parse().map(Self)
    }
}

impl Described {
    fn get<T: crate::reply::FromReply>(&self, key: &str) -> Option<T> {
        self.0.get(key)?.clone().parse().ok()
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.get::<Option<String>>(key).flatten()
    }

    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        self.get(key).unwrap_or_default()
    }

    /// Returns whether the daemon says anything under a key.
    pub(super) fn knows(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Returns whether a mark is said to be not set.
    pub(super) fn is_not(&self, key: &str) -> bool {
        self.knows(key) && !self.is(key)
    }

    /// Returns whether a mark is set.
    pub(super) fn is(&self, key: &str) -> bool {
        self.get(key).unwrap_or_default()
    }

    /// Returns whether a text is this one.
    pub(super) fn has(&self, key: &str, text: &str) -> bool {
        matches!(self.0.get(key), Some(Reply::Bytes(bytes)) if bytes == text.as_bytes())
    }

    pub(super) fn map(&self, key: &str) -> Option<Self> {
        self.get(key)
    }

    pub(super) fn list(&self, key: &str) -> Vec<Self> {
        self.get(key).unwrap_or_default()
    }

    /// Returns the entries that are maps.
    fn maps(self) -> Vec<(String, Self)> {
        let entries = self.0.into_iter();
        entries.filter_map(|(name, entry)| Some((name, entry.parse().ok()?))).collect()
    }
}
