//! How a server gets its event channels: given by the program, declared by an enum, by a command that takes them,
//! or by its handle.
//!
//! Only here is the code named that the engine has for subscribers, so that a program without events does not
//! contain it.

use super::{Control, Handle, Server};
use crate::access::Pattern;
use crate::commands::{Channels, Rules};
use crate::engine::LISTENING;
use crate::error::{Error, Failure};
use crate::events::Events;
use crate::param::{Args, FromRequest, Kind};
use crate::state::States;

impl Server {
    /// Gives the server the channels that the program publishes to. A server without this method has its own, if a
    /// command takes [`Events`], an enum [declares](derive@crate::Events) channels, or the program calls
    /// [`Handle::events`]. The first call counts.
    pub fn events(self, events: Events) -> Self {
        events.give_to(&self.states, &LISTENING);
        self
    }
}

impl Handle {
    /// Returns the server's event channels, to publish to.
    ///
    /// ```
    /// let daemon = dockipc::Server::new().spawn_in_process()?;
    /// let events = daemon.events();
    /// assert_eq!(events.publish("disk.full", "/var"), 0); // Nobody has subscribed.
    /// # Ok::<(), dockipc::Error>(())
    /// ```
    pub fn events(&self) -> Events {
        Events::of(self.engine.states(), &LISTENING).clone()
    }
}

impl Control {
    /// Returns the server's event channels, as [`Handle::events`] does. If the server has stopped, nobody can
    /// subscribe to them.
    pub fn events(&self) -> Events {
        let engine = self.engine.upgrade();
        engine.map_or_else(Events::new, |engine| Events::of(engine.states(), &LISTENING).clone())
    }
}

/// Gives a server that starts the declared channels with their rules and policies. Those that the program sets
/// come after them, and count.
pub(crate) fn declare(states: &States, rules: &mut Rules) -> Result<(), Error> {
    let events = Events::of(states, &LISTENING);
    let all = Channels::all();
    for pair in all.windows(2) {
        let &[(channel, first), (other, second)] = pair else { continue };
        if channel.name == other.name {
            let (first, second) = (first.place(), second.place());
            return Err(Error::DuplicateChannel { name: channel.name, first, second });
        }
    }
    for (channel, at) in all {
        if let Some(allow) = &channel.allow {
            let policy =
                allow.policy(&format!("of channel `{}` ({})", channel.name, at.place()))?;
            rules.channels().policies.push((Pattern::new(channel.name), policy));
        }
        if channel.ends {
            events.end_when_full(channel.name);
        }
    }
    Ok(())
}

impl<'r> FromRequest<'r> for &'r Events {
    const KIND: Kind = Kind::prepared(|states| {
        Events::of(states, &LISTENING);
    });

    fn from_request(args: &Args<'r>, _: usize) -> Result<Self, Failure> {
        Ok(Events::of(args.request.states(), &LISTENING))
    }
}

impl<'r> FromRequest<'r> for Events {
    const KIND: Kind = <&Events>::KIND;

    fn from_request(args: &Args<'r>, index: usize) -> Result<Self, Failure> {
        <&Self>::from_request(args, index).cloned()
    }
}
