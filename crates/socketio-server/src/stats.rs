//! What the server counts: relaxed atomics, and what a snapshot of them says.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::reason::DisconnectReason;

/// A snapshot of what the server counts.
///
/// Numbers of things that exist now go up and down; those of events count since the start. Each
/// number is exact, but they are not read at one moment.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Those of the engine, or the sum over all engines.
    pub engine: engineio::Stats,
    /// How often each limit acted, those of the engine first.
    pub limits: engineio::LimitCounts,
    /// Namespaces that exist now.
    pub namespaces: usize,
    /// Connected sockets of all namespaces now.
    pub sockets: usize,
    /// Rooms that somebody is in now, of all namespaces; own-id rooms are not counted.
    pub rooms: usize,
    /// Acknowledgements that clients owe now.
    pub pending_acks: usize,
    /// Handlers that go on now after their connections ended.
    pub detached_handlers: usize,
    /// Bytes that these keep, an estimate.
    pub detached_bytes: usize,
    /// Handlers of ended connections that were dropped, as too many went on or kept too much.
    pub dropped_handlers: u64,
    /// Panics of handlers and middleware, each of which ended its connection.
    pub handler_panics: u64,
    /// Sockets that joined a namespace.
    pub connected: u64,
    /// Sockets that left, by the reason that the `disconnect` event carries. All reasons are listed.
    pub disconnected: Vec<(&'static str, u64)>,
    /// Sockets that were refused: by middleware, for a namespace that there is not, or for a limit.
    pub connect_errors: u64,
    /// Connections ended for a packet that could not be read, or that broke a limit.
    pub invalid_packets: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) dropped_handlers: AtomicU64,
    pub(crate) handler_panics: AtomicU64,
    pub(crate) connected: AtomicU64,
    disconnected: [AtomicU64; REASONS.len()],
    pub(crate) connect_errors: AtomicU64,
    pub(crate) invalid_packets: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }

    pub(crate) fn disconnected(&self, reason: DisconnectReason) {
        if let Some(at) = REASONS.iter().position(|r| *r == reason.as_str()) {
            Self::add(&self.disconnected[at]);
        }
    }

    /// Without what is looked up elsewhere.
    pub(crate) fn snapshot(&self, engine: engineio::Stats) -> Stats {
        let load = |counter: &AtomicU64| counter.load(Relaxed);
        Stats {
            engine,
            dropped_handlers: load(&self.dropped_handlers),
            handler_panics: load(&self.handler_panics),
            connected: load(&self.connected),
            disconnected: REASONS.into_iter().zip(self.disconnected.iter().map(load)).collect(),
            connect_errors: load(&self.connect_errors),
            invalid_packets: load(&self.invalid_packets),
            ..Stats::default()
        }
    }
}

// Node: disconnect reasons
const REASONS: [&str; 9] = [
    "transport error",
    "transport close",
    "ping timeout",
    "parse error",
    "forced close",
    "forced server close",
    "server shutting down",
    "client namespace disconnect",
    "server namespace disconnect",
];
