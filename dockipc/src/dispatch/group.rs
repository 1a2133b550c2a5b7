//! Groups: the first words of names of two words.

use super::Service;
use crate::arg::{Quoted, usage};
use crate::builtin;
use crate::commands::{Entry, EntryId, GroupCode, Target};
use crate::error::Failure;
use crate::param::Unbound;
use crate::reply::Reply;
use crate::session::Session;

impl Service {
    /// Makes the first two words of a command its name; the first is that of a group. Returns the answer if no
    /// command has the name.
    #[cold]
    #[inline(never)]
    pub(super) fn enter_group(
        &self,
        group: &str,
        code: &GroupCode,
        session: &Session,
        unbound: &mut Unbound<'_>,
    ) -> Option<Reply> {
        match (code.join_name)(&self.table, unbound) {
            Ok(true) => {
                let name = unbound.name().unwrap_or_default();
                let is_known = self.table.find(name).is_some();
                (!is_known).then(|| Reply::Error(self.unknown(session, unbound)))
            }
            Ok(false) if session.is_in_transaction() => Some(Reply::Ok),
            Ok(false) => Some(builtin::list_group(self.context(), session, group, code)),
            Err(failure) => Some(Reply::Error(failure)),
        }
    }

    /// Finds a command by its name of one word or two.
    #[cold]
    pub(super) fn find_command(
        &self,
        session: &Session,
        unbound: &mut Unbound<'_>,
    ) -> Result<Option<(EntryId, &Entry)>, Failure> {
        let found = self.table.find(unbound.name().unwrap_or_default());
        let Some((_, Entry { target: Target::Group(code), name, .. })) = found else {
            return Ok(found);
        };
        match self.enter_group(name, code, session, unbound) {
            None => Ok(self.table.find(unbound.name().unwrap_or_default())),
            Some(Reply::Error(failure)) => Err(failure),
            Some(_) => {
                let group = Quoted(name.as_bytes());
                Err(usage(format_args!("{group} is a group; send help {name} for its commands")))
            }
        }
    }
}
