//! Where a session is, and the way to one of another node.

use bytes::Bytes;
use engineio_proto::payload::Form;
use engineio_proto::{CloseReason, Protocol, guard};

use crate::engine::Engine;
use crate::engine::relay::{NodeId, Relay, RequestError};
use crate::options::functions::{self, BoxFuture, Panicked};
use crate::session::socket::Socket;
use crate::stats::Counters;
use crate::transport::polling::PollAnswer;

/// Where the session with an id is.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "it is here, or not, or not at all")]
pub enum Found {
    /// On this server.
    Here(Socket),
    /// On another node, as its id says. Whether it still is there, that node knows.
    Elsewhere(NodeId),
    /// Nowhere that is known of.
    Unknown,
}

/// A session that another node has, and the way to it.
pub(crate) struct Relayed<'a> {
    engine: &'a Engine,
    relay: &'a dyn Relay,
    node: NodeId,
    sid: &'a str,
}

impl Relayed<'_> {
    pub(crate) async fn poll(
        &self,
        protocol: Protocol,
        text_only: bool,
    ) -> Result<Result<PollAnswer, RequestError>, Panicked> {
        self.call(|| self.relay.poll(&self.node, self.sid, protocol, text_only)).await
    }

    pub(crate) async fn post(
        &self,
        form: Form,
        body: Bytes,
    ) -> Result<Result<(), RequestError>, Panicked> {
        self.call(|| self.relay.post(&self.node, self.sid, form, body)).await
    }

    /// Ends the session.
    pub(crate) fn close(&self, reason: CloseReason) {
        let _ = guard::call(|| self.relay.close(&self.node, self.sid, reason));
    }

    /// A request that is being read; if it breaks, so does the session.
    pub(crate) const fn unfinished(&self) -> Unfinished<'_> {
        Unfinished(Some(self))
    }

    /// Both what makes the future and the future are code of others.
    async fn call<'f, T: 'f>(
        &self,
        call: impl FnOnce() -> BoxFuture<'f, T>,
    ) -> Result<T, Panicked> {
        let called = functions::catch_panic(async { call().await }).await;
        if called.is_err() {
            Counters::add(&self.engine.counters.panics);
        }
        called
    }
}

/// See [`Relayed::unfinished`].
pub(crate) struct Unfinished<'a>(Option<&'a Relayed<'a>>);

impl Unfinished<'_> {
    pub(crate) fn finish(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(relayed) = self.0 {
            relayed.close(CloseReason::TransportError);
        }
    }
}

impl Engine {
    /// Says who carries requests to other nodes. False: that was said before.
    pub(crate) fn set_relay(&self, relay: impl Relay) -> bool {
        self.relay.set(Box::new(relay)).is_ok()
    }

    /// The way to the session of another node that [`Engine::find`] found.
    pub(crate) fn relayed<'a>(&'a self, node: NodeId, sid: &'a str) -> Option<Relayed<'a>> {
        let relay = &**self.relay.get()?;
        Some(Relayed { engine: self, relay, node, sid })
    }

    /// Where a session is: in the table, else where its id says.
    pub(crate) fn find(&self, sid: &str) -> Found {
        match (self.session(sid), self.relay.get()) {
            (Some(socket), _) => Found::Here(socket),
            (None, Some(relay)) => {
                let node = guard::call(|| relay.node_of(sid)).ok().flatten();
                node.map_or(Found::Unknown, Found::Elsewhere)
            }
            (None, None) => Found::Unknown,
        }
    }
}
