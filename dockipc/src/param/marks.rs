//! [`Marks`] of a command, for its callers.

/// The marks of a command, for its callers.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Marks {
    /// The version of the daemon that had the command first.
    pub since: Option<&'static str>,
    /// The command to use instead.
    pub deprecated: Option<&'static str>,
    /// The command changes nothing.
    pub readonly: bool,
    /// The command removes data for good.
    pub destructive: bool,
}

impl Marks {
    /// Returns the marks of a command of a group, which has these.
    pub(crate) fn or(self, own: &Self) -> Self {
        Self {
            since: own.since.or(self.since),
            deprecated: own.deprecated.or(self.deprecated),
            readonly: (self.readonly && !own.destructive) || own.readonly,
            destructive: (self.destructive && !own.readonly) || own.destructive,
        }
    }
}
