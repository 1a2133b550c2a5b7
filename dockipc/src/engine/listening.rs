//! A connection that is subscribed to events: it sends them as its socket takes them, between the answers.
//!
//! The events wait in a queue of the connection's subscriptions (`crate::events`), which is bounded. A publisher
//! only puts them there, and rings for all connections that were idle with one lock of the hub.

use std::any::Any;
use std::sync::{Arc, Weak};

use super::connection::Conn;
use super::core::Core;
use super::output::Sent;
use super::token::Token;
use super::turn::Next;
use super::worker::Worker;
use crate::error::Failure;
use crate::later::Bells;
use crate::wire::Protocol;
use crate::workers::Workers;

/// The most bytes of events that are taken from the queue at a time.
const CHUNK: usize = 16 * 1024;

/// The engine's code for subscribers. It is reached through this value, so that programs without events do not
/// contain it.
pub(crate) struct Listening {
    /// Sends events that are queued for the client. `None` if the connection goes on.
    pub(super) send: fn(&Core, &Worker, &mut Conn) -> Option<Next>,
    /// Puts frames into the outbox. Returns how many bytes it then has.
    pub(super) tell: fn(&Worker, &[u8]) -> usize,
    pub(super) bells: fn(&Arc<Core>) -> Weak<dyn Bells>,
}

pub(crate) static LISTENING: Listening =
    Listening { send: Core::send_events, tell, bells: Core::bells };

fn tell(me: &Worker, frames: &[u8]) -> usize {
    let mut outbox = me.outbox();
    outbox.bytes.tail().extend_from_slice(frames);
    outbox.bytes.len()
}

impl Bells for Core {
    fn ring_all(&self, connections: &[u64]) {
        if self.is_forked() {
            return;
        }
        let mut hub = self.lock();
        for token in connections {
            hub.note_answer(Token::from_data(*token));
        }
        self.wake_leader(&hub);
    }

    fn service(&self) -> Arc<dyn Any + Send + Sync> {
        Arc::clone(&self.service) as _
    }

    fn workers(self: Arc<Self>) -> Arc<dyn Workers> {
        Self::workers(&self, None)
    }

    fn charge(self: Arc<Self>, uid: u32) -> Result<Option<Box<dyn Any + Send + Sync>>, Failure> {
        let limits = &self.service.config.per_user;
        if limits.running.is_none() {
            return Ok(None);
        }
        self.lock().users.begin(uid, limits)?;
        let core = Arc::downgrade(&self);
        Ok(Some(Box::new(Charged { core, uid })))
    }
}

/// The charge of a running command to its user.
struct Charged {
    core: Weak<Core>,
    uid: u32,
}

impl Drop for Charged {
    fn drop(&mut self) {
        if let Some(core) = self.core.upgrade()
            && !core.is_forked()
        {
            core.lock().users.end(self.uid, &core.service.config.per_user);
        }
    }
}

impl Conn {
    /// Returns whether it is a line that has subscribed to events. It stays open when the client has ended its
    /// side.
    #[cold]
    pub(super) fn listens_on_a_line(&self) -> bool {
        self.conversation.protocol() == Protocol::Line && self.conversation.is_subscribed()
    }
}

impl Core {
    /// Returns the code for subscribers. There is some if there is a subscriber.
    #[cold]
    #[inline(never)]
    pub(super) fn listening(&self) -> Option<&'static Listening> {
        self.service.states.listening.get()?.downcast_ref()
    }

    fn bells(self: &Arc<Self>) -> Weak<dyn Bells> {
        Arc::<Self>::downgrade(self)
    }

    fn send_events(&self, me: &Worker, conn: &mut Conn) -> Option<Next> {
        if self.is_over() {
            conn.conversation.stop_subscriptions();
        }
        while conn.phase.reads_commands() {
            // Not into the outbox itself, which other threads lock: the author's code may run.
            if let Some(awaited) = &mut conn.awaited {
                // An event must not come in the middle of it.
                me.outbox().bytes.append(&mut awaited.sign);
            }
            let mut frames = std::mem::take(me.outbox().bytes.tail());
            let taken = conn.conversation.take_events(CHUNK, &mut frames);
            *me.outbox().bytes.tail() = frames;
            if taken.is_over {
                conn.phase.finish(conn.is_half_closed);
            }
            match self.flush(me, conn) {
                Sent::All => {}
                sent => {
                    conn.sends_events = true;
                    return Some(Next::after(sent));
                }
            }
            if !taken.has_more {
                break;
            }
            if !self.is_over() {
                // Commands of the client and other connections come in between.
                self.lock().note_answer(Token::from_data(conn.token));
                break;
            }
        }
        None
    }

    /// Returns whether a connection stays open while the server stops, since commands that still run may
    /// publish events.
    #[cold]
    pub(super) fn keeps_listening(&self, conn: &Conn) -> bool {
        conn.conversation.is_subscribed() && conn.phase.reads_commands() && !self.is_over()
    }
}
