//! Groups: the first words of names of two words.

use super::Service;
use crate::builtin;
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
        session: &Session,
        unbound: &mut Unbound<'_>,
    ) -> Option<Reply> {
        match unbound.join_name() {
            Ok(true) => {
                let name = unbound.name().unwrap_or_default();
                let is_known = self.table.find(name).is_some();
                (!is_known).then(|| Reply::Error(self.unknown(session, unbound)))
            }
            Ok(false) if session.is_in_transaction() => Some(Reply::Ok),
            Ok(false) => Some(builtin::list_group(self.context(), session, group)),
            Err(failure) => Some(Reply::Error(failure)),
        }
    }
}
