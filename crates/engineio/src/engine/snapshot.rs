//! A snapshot of what the engine counts, and of what its sessions know of themselves.

use engineio_proto::{Protocol, TransportKind};

use crate::engine::Engine;
use crate::stats::Stats;

impl Engine {
    pub(crate) fn stats(&self) -> Stats {
        let mut stats = self.counters.snapshot();
        stats.draining = self.is_draining() || self.is_closing();
        stats.outbound_bytes = self.bounds.backlog.bytes();
        stats.inbound_bytes = self.inbound.bytes();
        stats.connections = self.connections.served();
        let mut counts = [0; KINDS.len()];
        // handles first: not all queues are to be waited for while nobody can connect
        for session in self.all_sessions() {
            let kind = (session.transport(), session.protocol());
            if let Some(at) = KINDS.iter().position(|k| *k == kind && session.is_open()) {
                counts[at] += 1;
            }
            let queued = session.queued_bytes();
            stats.queued_bytes += queued;
            stats.longest_queue = stats.longest_queue.max(queued);
        }
        stats.open = KINDS.iter().zip(counts).map(|((t, p), count)| (*t, *p, count)).collect();
        stats
    }
}

/// Kinds of sessions.
const KINDS: [(TransportKind, Protocol); 4] = [
    (TransportKind::Polling, Protocol::V3),
    (TransportKind::Polling, Protocol::V4),
    (TransportKind::WebSocket, Protocol::V3),
    (TransportKind::WebSocket, Protocol::V4),
];
