//! The names and summaries of the built-in commands. `crate::builtin` has their answers.

/// A command that dockipc itself answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BuiltIn {
    Echo,
    Help,
    Info,
    Ping,
    Auth,
    Client,
    Command,
    Config,
    Discard,
    Dockipc,
    Exec,
    Hello,
    Multi,
    Quit,
    Reset,
    Select,
    Unwatch,
    Watch,
}

impl BuiltIn {
    pub(crate) const ALL: [Self; 18] = [
        Self::Echo,
        Self::Help,
        Self::Info,
        Self::Ping,
        Self::Auth,
        Self::Client,
        Self::Command,
        Self::Config,
        Self::Discard,
        Self::Dockipc,
        Self::Exec,
        Self::Hello,
        Self::Multi,
        Self::Quit,
        Self::Reset,
        Self::Select,
        Self::Unwatch,
        Self::Watch,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Help => "help",
            Self::Info => "info",
            Self::Ping => "ping",
            Self::Auth => "auth",
            Self::Client => "client",
            Self::Command => "command",
            Self::Config => "config",
            Self::Discard => "discard",
            Self::Dockipc => "dockipc",
            Self::Exec => "exec",
            Self::Hello => "hello",
            Self::Multi => "multi",
            Self::Quit => "quit",
            Self::Reset => "reset",
            Self::Select => "select",
            Self::Unwatch => "unwatch",
            Self::Watch => "watch",
        }
    }

    /// Returns the arguments in the usage line, and whether each is optional.
    pub(crate) fn words(self) -> &'static [(&'static str, bool)] {
        match self {
            Self::Echo => &[("message", false)],
            Self::Help => &[("command", true)],
            Self::Info => &[("section", true)],
            Self::Ping => &[("message", true)],
            _ => &[],
        }
    }

    /// The commands for transactions, which redis-cli shows hints for.
    pub(crate) const TRANSACTION: [Self; 3] = [Self::Multi, Self::Exec, Self::Discard];

    /// Returns whether it is a protocol command, which changes the connection's state: help does not list
    /// it, and no rule can be given for it.
    pub(crate) fn is_protocol(self) -> bool {
        !matches!(self, Self::Echo | Self::Help | Self::Info | Self::Ping)
    }

    /// Returns the summary in help, or `None` for a command of the handshake.
    pub(crate) fn summary(self) -> Option<&'static str> {
        match self {
            Self::Discard => Some("Drop the commands that MULTI queued."),
            Self::Echo => Some("Answer with the message."),
            Self::Exec => Some("Run the commands that MULTI queued."),
            Self::Help => Some("List the commands, or explain one."),
            Self::Info => Some("Answer with the server's version and counters."),
            Self::Multi => Some("Queue the next commands for EXEC; not in line mode."),
            Self::Ping => Some("Answer with PONG, or with the message."),
            _ => None,
        }
    }
}

/// A command about subscriptions to events. `crate::events` has the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PubSub {
    Subscribe,
    Psubscribe,
    Unsubscribe,
    Punsubscribe,
    Pubsub,
    /// Of a cluster, and refused.
    Ssubscribe,
    Sunsubscribe,
}

impl PubSub {
    pub(crate) const ALL: [Self; 7] = [
        Self::Subscribe,
        Self::Psubscribe,
        Self::Unsubscribe,
        Self::Punsubscribe,
        Self::Pubsub,
        Self::Ssubscribe,
        Self::Sunsubscribe,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Psubscribe => "psubscribe",
            Self::Unsubscribe => "unsubscribe",
            Self::Punsubscribe => "punsubscribe",
            Self::Pubsub => "pubsub",
            Self::Ssubscribe => "ssubscribe",
            Self::Sunsubscribe => "sunsubscribe",
        }
    }
}
