//! [`OwnedArgs`], the words of a request that outlive the connection's input.

use std::sync::Arc;

use super::{Args, Param, Purpose};
use crate::buffer::Buffer;
use crate::peer::Peer;
use crate::request::{Caller, Request, Words};
use crate::run::Cancel;
use crate::state::States;
use crate::wire::{Protocol, Span};

/// The words of one request by parameter, with everything that they refer to. A future or a job owns it, so
/// that its parameters can borrow from it.
#[doc(hidden)]
pub struct OwnedArgs {
    name: &'static str,
    input: Buffer,
    text: Buffer,
    spans: Box<[Span]>,
    options: Box<[(usize, Span)]>,
    params: &'static [Param],
    peer: Peer,
    connection: u64,
    protocol: Protocol,
    states: Arc<States>,
    has_secret: bool,
    run: Cancel,
    is_check: bool,
}

impl OwnedArgs {
    pub(crate) fn new(
        name: &'static str,
        args: &Args<'_>,
        states: &Arc<States>,
        run: &Cancel,
    ) -> Self {
        let Args { request, options, params, .. } = *args;
        let Words { input, text, spans } = request.words;
        let owned = |bytes: &[u8]| {
            let mut owned = Buffer::with_capacity(bytes.len());
            owned.extend_from_slice(bytes);
            owned
        };
        Self {
            name,
            input: owned(input),
            text: owned(text),
            spans: spans.into(),
            options: options.into(),
            params,
            peer: request.peer().clone(),
            connection: request.connection(),
            protocol: request.protocol(),
            states: Arc::clone(states),
            has_secret: request.has_secret(),
            run: run.clone(),
            is_check: args.is_check(),
        }
    }

    pub fn request(&self) -> Request<'_> {
        let Self { input, text, spans, peer, connection, protocol, states, .. } = self;
        let words = Words { input, text, spans };
        let (connection, protocol) = (*connection, *protocol);
        let caller = Caller { peer, connection, protocol, states };
        Request::new(self.name, words, caller, self.has_secret).with_run(&self.run)
    }

    pub fn args<'a>(&'a self, request: &'a Request<'a>) -> Args<'a> {
        let purpose = if self.is_check { Purpose::Check } else { Purpose::Run };
        Args { request, options: &self.options, params: self.params, purpose }
    }
}
