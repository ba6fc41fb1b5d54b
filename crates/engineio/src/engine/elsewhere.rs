//! Where a session is, and the way to one of another node.

use std::sync::Arc;

use bytes::Bytes;
use engineio_proto::payload::Form;
use engineio_proto::{CloseReason, Protocol, guard};

use crate::engine::Engine;
use crate::engine::relay::{NodeId, Relay, RequestError};
use crate::nodes::directory::Owner;
use crate::nodes::options::NodesOptions;
use crate::nodes::{Nodes, Whose};
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

    /// Says who the other nodes are. False: that was said before.
    pub(crate) fn set_nodes(&self, options: NodesOptions) -> bool {
        if let Some(max) = options.max_relayed {
            self.connections.set_max_relayed(max);
        }
        self.nodes.set(Arc::new(Nodes::new(options))).is_ok()
    }

    pub(crate) fn nodes(&self) -> Option<&Arc<Nodes>> {
        self.nodes.get()
    }

    /// Where a session is: in the table, else where its id says.
    pub(crate) fn find(&self, sid: &str) -> Found {
        if let Some(socket) = self.session(sid) {
            return Found::Here(socket);
        }
        if let Some(Whose::Owner(owner)) = self.nodes().map(|nodes| nodes.whose(sid)) {
            return Found::Elsewhere(owner.name.clone().into());
        }
        self.find_by_relay(sid)
    }

    /// Where a session that is not here is by the relay's word.
    pub(crate) fn find_by_relay(&self, sid: &str) -> Found {
        let Some(relay) = self.relay.get() else { return Found::Unknown };
        let node = guard::call(|| relay.node_of(sid)).ok().flatten();
        node.map_or(Found::Unknown, Found::Elsewhere)
    }

    /// The node that has a session which is not here; what names none is counted. A request that was
    /// passed on goes on to where its session has moved, and nowhere else.
    pub(crate) fn owner(&self, sid: &str, relayed: bool) -> Option<(&Arc<Nodes>, Arc<Owner>)> {
        let nodes = self.nodes()?;
        let counters = &self.counters.relayed;
        let counter = match nodes.whose(sid) {
            Whose::Owner(_) if relayed => return None,
            Whose::Owner(owner) => return Some((nodes, owner)),
            Whose::Nobodys => &counters.malformed,
            Whose::Ours => {
                let now = tokio::time::Instant::now().into_std();
                let tag = nodes.hold.and_then(|_| nodes.left.get(now, sid));
                if let Some(owner) = tag.and_then(|tag| nodes.directory.owner(tag)) {
                    return Some((nodes, owner));
                }
                &counters.gone
            }
            Whose::UnknownNode => &counters.unknown_node,
        };
        Counters::add(counter);
        None
    }
}
