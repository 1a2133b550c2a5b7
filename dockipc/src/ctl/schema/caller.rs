//! [`Caller`], for whom a daemon has described its commands.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::interface::MAX_DESCRIPTION;
use crate::client::Client;

/// The caller as the daemon sees it. A daemon describes only the commands that the caller may run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Caller {
    uid: u32,
    /// The daemon runs as the same user.
    #[serde(rename = "owner")]
    is_owner: bool,
    #[serde(rename = "token")]
    has_token: bool,
    /// The number of the daemon's socket.
    socket: u32,
}

impl Caller {
    /// Asks the daemon. Returns `None` if it does not say, as older daemons.
    pub(super) fn of(client: &Client) -> Option<Self> {
        let client = client.clone().max_answer(MAX_DESCRIPTION);
        let line: String = client.command("client").arg("info").call().ok()?;
        let number = |name: &str| -> Option<u32> {
            let mut values = line.split_whitespace().filter_map(|field| field.split_once('='));
            values.find(|(other, _)| *other == name)?.1.parse().ok()
        };
        Some(Self {
            uid: number("uid")?,
            is_owner: number("owner")? != 0,
            has_token: number("token")? != 0,
            socket: number("socket")?,
        })
    }

    /// Returns a sentence if the saved description is for a caller that may have other rights.
    pub(super) fn difference(saved: Option<&Self>, now: Option<&Self>) -> Option<String> {
        let (saved, now) = (saved?, now?);
        let advice = "commands for only one of them count as changed";
        (saved != now)
            .then(|| format!("the saved schema is for {saved}, this one for {now}: {advice}"))
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = if self.is_owner { " (the daemon's owner)" } else { "" };
        let token = if self.has_token { "with" } else { "without" };
        write!(f, "uid {}{owner} {token} a token", self.uid)?;
        // The daemon's other sockets can offer fewer commands.
        if self.socket > 0 { write!(f, " at socket {}", self.socket) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::Caller;

    #[test]
    fn other_rights_of_the_caller_are_a_difference() {
        let saved = Caller { uid: 0, is_owner: true, has_token: false, socket: 0 };
        let sentence = |now: &Caller| Caller::difference(Some(&saved), Some(now));
        assert_eq!(sentence(&saved), None);
        assert_eq!(Caller::difference(None, Some(&saved)), None);
        for (now, shown) in [
            (
                Caller { uid: 7, is_owner: false, ..saved.clone() },
                "this one for uid 7 without a token:",
            ),
            (
                Caller { has_token: true, ..saved.clone() },
                "this one for uid 0 (the daemon's owner) with a token:",
            ),
            (
                Caller { socket: 1, ..saved.clone() },
                "this one for uid 0 (the daemon's owner) without a token at socket 1:",
            ),
        ] {
            let sentence = sentence(&now).unwrap();
            assert!(sentence.contains(shown), "{sentence}");
        }
    }
}
