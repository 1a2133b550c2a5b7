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
    Dockipc,
    Hello,
    Quit,
    Reset,
    Select,
}

impl BuiltIn {
    pub(crate) const ALL: [Self; 13] = [
        Self::Echo,
        Self::Help,
        Self::Info,
        Self::Ping,
        Self::Auth,
        Self::Client,
        Self::Command,
        Self::Config,
        Self::Dockipc,
        Self::Hello,
        Self::Quit,
        Self::Reset,
        Self::Select,
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
            Self::Dockipc => "dockipc",
            Self::Hello => "hello",
            Self::Quit => "quit",
            Self::Reset => "reset",
            Self::Select => "select",
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

    /// Returns the summary in help, or `None` for a protocol command: help does not list it, and no rule
    /// can be given for it.
    pub(crate) fn summary(self) -> Option<&'static str> {
        match self {
            Self::Echo => Some("Answer with the message."),
            Self::Help => Some("List the commands, or explain one."),
            Self::Info => Some("Answer with the server's version and counters."),
            Self::Ping => Some("Answer with PONG, or with the message."),
            _ => None,
        }
    }
}
