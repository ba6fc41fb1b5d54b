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
        (stats.relayed.open_in, stats.relayed.open_out) = self.connections.relayed();
        stats.open = kinds().map(|(transport, protocol)| (transport, protocol, 0)).collect();
        // handles first: not all queues are to be waited for while nobody can connect
        for session in self.all_sessions() {
            let is_it = |kind: &&mut (_, _, _)| {
                (kind.0, kind.1) == (session.transport(), session.protocol())
            };
            if let Some((.., count)) = stats.open.iter_mut().find(is_it) {
                *count += usize::from(session.is_open());
            }
            let queued = session.queued_bytes();
            stats.queued_bytes += queued;
            stats.longest_queue = stats.longest_queue.max(queued);
        }
        stats
    }
}

/// Kinds of sessions.
fn kinds() -> impl Iterator<Item = (TransportKind, Protocol)> {
    let kinds = TransportKind::ALL.into_iter();
    kinds
        .flat_map(|transport| Protocol::ALL.map(|protocol| (transport, protocol)))
        .filter(|(transport, protocol)| transport.carries(*protocol))
}
