//! What a connection needs from its server, and keeps alive of it.
//!
//! Services and listeners keep the server; a connection keeps this, so that it ends in good order
//! even when nobody has the server any more.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engineio_proto::guard::lock;
use engineio_proto::log;
use socketio_parser::{Decoder, Encoder, Parser, Revision};

use super::detached::{Detached, Running};
use crate::client::Client;
use crate::events::failures::Failures;
use crate::events::tap::Tapped;
use crate::limits::{Limit, Limits};
use crate::namespace::Shared;
use crate::namespace::registry::Registry;
use crate::stats::Counters;

/// What all connections of a server share.
pub(crate) struct Core {
    pub(crate) registry: Arc<Registry>,
    pub(crate) shared: Shared,
    pub(crate) counters: Arc<Counters>,
    pub(crate) detached: Arc<Detached>,
    pub(crate) rate_listeners: Mutex<Vec<RateListener>>,
    pub(crate) failures: Failures,
    pub(crate) tap: Tapped,
    parser: Parser,
    packet_limits: Arc<socketio_parser::Limits>,
    pub(crate) connect_timeout: Duration,
    /// Clients of protocol 4 are in `/` before they are in any other namespace.
    pub(crate) root_first: bool,
    /// Knows which addresses count as one.
    engine: engineio::Server,
}

/// Is told of clients that are too fast.
pub(crate) type RateListener = Arc<dyn Fn(&Client, engineio::Limit) + Send + Sync>;

impl Core {
    pub(crate) fn new(
        engine: engineio::Server,
        registry: Arc<Registry>,
        shared: Shared,
        parser: Parser,
        connect_timeout: Duration,
        root_first: bool,
        failures: Failures,
    ) -> Self {
        Self {
            packet_limits: Arc::new(shared.limits.packet.clone()),
            detached: Arc::new(Detached::new(&shared.limits)),
            registry,
            shared,
            counters: Arc::default(),
            rate_listeners: Mutex::default(),
            failures,
            tap: Tapped::default(),
            parser,
            connect_timeout,
            root_first,
            engine,
        }
    }

    pub(super) fn decoder(&self, revision: Revision) -> Decoder {
        self.parser.decoder(revision, Arc::clone(&self.packet_limits))
    }

    pub(super) fn encoder(&self) -> &Encoder {
        &self.shared.encoder
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// A limit acted.
    pub(super) fn limited(&self, limit: Limit) {
        self.shared.counters.add(limit, 1);
    }

    pub(super) fn rate_listeners(&self) -> Vec<RateListener> {
        lock(&self.rate_listeners).clone()
    }

    /// What an address counts as where something is bounded per address.
    pub(super) fn network_of(&self, address: IpAddr) -> IpAddr {
        self.engine.network_of(address)
    }

    /// Lets the unfinished handlers of a connection that ended go on, in a task of their own; so many
    /// of them, which keep so many bytes.
    pub(super) fn detach(
        &self,
        address: Option<IpAddr>,
        handlers: usize,
        bytes: usize,
        running: Running,
    ) {
        let network = address.map(|address| self.network_of(address));
        for (limit, count) in self.detached.add(network, handlers, bytes, running) {
            self.counters.dropped_handlers.fetch_add(count as u64, Ordering::Relaxed);
            self.shared.counters.add(limit, count as u64);
            log!(warn: count, limit = limit.option(), "handlers of ended connections dropped");
        }
    }
}
