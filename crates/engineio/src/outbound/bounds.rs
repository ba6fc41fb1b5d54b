//! How much may wait to be sent.

use engineio_proto::{Outgoing, OverflowPolicy};

use super::backlog::Backlog;
use crate::options::Options;

/// The bounds of a server's outboxes: of each, and of all together.
#[derive(Debug)]
pub(crate) struct Bounds {
    pub(crate) bytes: usize,
    pub(crate) packets: usize,
    pub(crate) pongs: usize,
    /// Those of the protocol in one answer.
    pub(crate) packets_per_poll: usize,
    pub(crate) policy: OverflowPolicy,
    /// Apart from what is only read, on each push: it is written when somebody waits.
    pub(crate) backlog: Box<Backlog>,
}

impl Bounds {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            bytes: options.max_outbound_bytes,
            packets: options.max_outbound_packets,
            pongs: options.max_pending_pongs,
            packets_per_poll: options.max_packets_per_poll.unwrap_or(usize::MAX),
            policy: options.slow_consumer,
            backlog: Box::new(Backlog::new(options.max_total_outbound_bytes)),
        }
    }

    pub(super) fn policy_of(&self, packet: &Outgoing) -> OverflowPolicy {
        packet.policy().unwrap_or(self.policy)
    }

    /// Whether a packet that is queued may make room for others.
    pub(super) fn may_drop(&self, packet: &Outgoing) -> bool {
        packet.is_droppable() && self.policy_of(packet) != OverflowPolicy::Disconnect
    }
}
