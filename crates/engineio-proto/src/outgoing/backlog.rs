//! How much memory the packets take that wait somewhere, each counted once.

#![expect(clippy::disallowed_types, reason = "packets are counted wherever the last of them goes")]

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// The bytes of packets that wait, each counted once in however many queues it is: what the queues
/// of a server keep in memory. A handle, cheap to clone.
///
/// A packet is counted from [`Outgoing::count_in`](crate::Outgoing::count_in) until its last queue lets go of it.
#[derive(Clone, Debug, Default)]
pub struct Backlog(Arc<AtomicUsize>);

impl Backlog {
    /// The bytes at this moment.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.load(Relaxed)
    }
}

/// Where a packet is counted, if it is.
#[derive(Debug, Default)]
pub(super) struct Counted(OnceLock<Backlog>);

impl Counted {
    /// Counts a packet of this size, unless it is counted already. True: it was not.
    pub(super) fn enter(&self, backlog: &Backlog, size: impl Fn() -> usize) -> bool {
        let mut is_new = false;
        self.0.get_or_init(|| {
            is_new = true;
            backlog.0.fetch_add(size(), Relaxed);
            backlog.clone()
        });
        is_new
    }

    /// The packet, of the same size as before, is counted no more.
    pub(super) fn leave(&self, size: impl Fn() -> usize) {
        if let Some(backlog) = self.0.get() {
            backlog.0.fetch_sub(size(), Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Outgoing, PacketType};

    #[test]
    fn a_packet_counts_once_and_until_its_last_queue_lets_go() {
        let backlog = Backlog::default();
        let packet = Outgoing::packet(PacketType::Ping, "probe");
        let other = packet.clone();
        assert!(packet.count_in(&backlog));
        assert!(!other.count_in(&backlog));
        assert!(!packet.count_in(&Backlog::default()));
        assert_eq!(backlog.bytes(), 6);
        drop(packet);
        assert_eq!(backlog.bytes(), 6);
        drop(other);
        assert_eq!(backlog.bytes(), 0);
        drop(Outgoing::packet(PacketType::Ping, ""));
        assert_eq!(backlog.bytes(), 0);
    }
}
