//! The resources that each user's connections take, where they are limited.

use crate::config::PerUser;
use crate::error::{Failure, code};

/// The present use of each user who uses anything that is counted.
#[derive(Default)]
pub(super) struct Users {
    /// In the order of their uids.
    users: Vec<(u32, Usage)>,
}

#[derive(Default, PartialEq, Eq)]
struct Usage {
    connections: usize,
    /// Slow commands that run or wait for a thread.
    running: usize,
    /// Bytes of commands that are not whole, and of answers that are not taken.
    bytes: usize,
}

impl Users {
    #[inline(never)]
    fn change(&mut self, uid: u32, change: &mut dyn FnMut(&mut Usage)) {
        let found = self.users.binary_search_by_key(&uid, |(uid, _)| *uid);
        let index = found.unwrap_or_else(|index| {
            self.users.insert(index, (uid, Usage::default()));
            index
        });
        let usage = &mut self.users[index].1;
        change(usage);
        if *usage == Usage::default() {
            self.users.remove(index);
        }
    }

    /// Counts one more, unless the user has `most` already.
    fn one_more(
        &mut self,
        uid: u32,
        most: Option<usize>,
        what: &str,
        count: fn(&mut Usage) -> &mut usize,
    ) -> Result<(), Failure> {
        let Some(most) = most else { return Ok(()) };
        let mut over = false;
        self.change(uid, &mut |usage| {
            let count = count(usage);
            over = *count >= most;
            *count += usize::from(!over);
        });
        if !over {
            return Ok(());
        }
        let why = format_args!("too many {what} of this user: {most} at most; try again");
        Err(Failure::new(code::BUSY, why))
    }

    pub(super) fn connect(&mut self, uid: u32, limits: &PerUser) -> Result<(), Failure> {
        let most = limits.connections_of(uid);
        self.one_more(uid, most, "connections", |usage| &mut usage.connections)
    }

    pub(super) fn leave(&mut self, uid: u32, limits: &PerUser) {
        if limits.connections_of(uid).is_some() {
            self.change(uid, &mut |usage| usage.connections = usage.connections.saturating_sub(1));
        }
    }

    pub(super) fn begin(&mut self, uid: u32, limits: &PerUser) -> Result<(), Failure> {
        self.one_more(uid, limits.running, "slow commands", |usage| &mut usage.running)
    }

    /// Counts a slow command that runs already, even if it is one too many.
    pub(super) fn charge_running(&mut self, uid: u32, limits: &PerUser) {
        if limits.running.is_some() {
            self.change(uid, &mut |usage| usage.running += 1);
        }
    }

    pub(super) fn end(&mut self, uid: u32, limits: &PerUser) {
        if limits.running.is_some() {
            self.change(uid, &mut |usage| usage.running = usage.running.saturating_sub(1));
        }
    }

    /// Notes that `now` bytes wait in a connection and no longer `before`. False if the user is over the
    /// quota.
    pub(super) fn charge_bytes(
        &mut self,
        uid: u32,
        before: usize,
        now: usize,
        limits: &PerUser,
    ) -> bool {
        let Some(most) = limits.bytes else { return true };
        let mut bytes = 0;
        self.change(uid, &mut |usage| {
            usage.bytes = (usage.bytes + now).saturating_sub(before);
            bytes = usage.bytes;
        });
        // A connection in which nothing waits is not at fault, whatever the others hold.
        now == 0 || bytes <= most
    }
}

/// The answer to a client whose user is over the quota of bytes.
#[cold]
pub(super) fn over_quota(limits: &PerUser) -> Failure {
    let most = limits.bytes.unwrap_or_default();
    let why = format_args!(
        "too much waits in the connections of this user: {most} bytes at most; nothing was run"
    );
    Failure::new(code::BUSY, why)
}
