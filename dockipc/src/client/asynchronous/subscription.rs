//! [`AsyncSubscription`], the events of a daemon's channels for programs on tokio.

use std::fmt;

use super::AsyncClient;
use super::exchange::connect;
use crate::client::Client;
use crate::client::connection::AsyncConnection;
use crate::client::exchange::MAX_CONNECTIONS;
use crate::client::limits::{CallLimits, ClientLimits};
use crate::client::subscription::{Event, Names, Received};
use crate::error::{Error, Ran, Result};

/// The events of some channels as they arrive; see [`AsyncClient::subscribe`] and
/// [`Subscription`](crate::client::Subscription).
#[must_use = "dropping the subscription ends it"]
pub struct AsyncSubscription {
    connection: AsyncConnection,
    limits: ClientLimits,
    state: Received,
}

impl AsyncSubscription {
    async fn begin(client: &Client, names: &Names, call: &CallLimits<'_>) -> Result<Self> {
        let mut connection = connect(client, call).await?;
        let _ = connection.open(&names.commands(), call).await?;
        let mut state = Received::default();
        while !state.is_confirmed(names.count) {
            state.confirm(connection.read_push(call).await?);
        }
        let limits = ClientLimits { read: None, ..client.limits };
        Ok(Self { connection, limits, state })
    }

    /// Returns the next event, or `None` after the end. A future that is dropped loses no event.
    pub async fn next(&mut self) -> Option<Result<Event>> {
        let limits = self.limits;
        let call = CallLimits::new(&limits, None);
        loop {
            if let Some(event) = self.state.next_early() {
                return Some(event);
            }
            if self.state.has_ended() {
                return None;
            }
            match self.connection.read_push(&call).await {
                Ok(frame) => {
                    if let Some(event) = self.state.take(frame) {
                        return Some(event);
                    }
                }
                Err(error) => return self.state.end(error, false).map(Err),
            }
        }
    }
}

impl fmt::Debug for AsyncSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSubscription").finish_non_exhaustive()
    }
}

impl AsyncClient {
    /// Subscribes to channels of the daemon; see [`Client::subscribe`]. Dropping the result ends the subscription.
    ///
    /// # Errors
    /// Those of [`Client::subscribe`].
    pub async fn subscribe<N: AsRef<str>>(
        &self,
        channels: impl IntoIterator<Item = N>,
    ) -> Result<AsyncSubscription> {
        let names = Names::new(channels);
        let call = CallLimits::new(&self.0.limits, self.0.limits.total);
        let mut tries = 1;
        loop {
            match AsyncSubscription::begin(&self.0, &names, &call).await {
                // A daemon that ends has had it in its queue.
                Err(Error::CutOff { ran: Ran::No, .. }) if tries < MAX_CONNECTIONS => tries += 1,
                result => return result,
            }
        }
    }
}
