//! What a full queue does: which packets go, and for which bound.

use engineio_proto::Outgoing;

use super::bounds::Bounds;
use super::queue::Queue;
use super::removed::Removed;
use crate::limits::Limit;

/// What a full queue did for a pushed packet.
#[derive(Debug, Default)]
pub(crate) struct Evicted {
    /// Older packets that had to go.
    pub(crate) dropped: u64,
    /// Volatile packets that waited and had to go.
    pub(crate) volatile: u64,
    /// The bound that acted.
    pub(crate) limit: Option<Limit>,
    /// What is to be dropped and woken without a lock; only if `limit` is there.
    pub(crate) removed: Option<Box<Removed>>,
}

impl Evicted {
    pub(super) fn removed(&mut self) -> &mut Removed {
        self.removed.get_or_insert_default()
    }
}

impl Queue {
    /// The bound that a packet would break.
    pub(super) fn exceeds(&self, packet: &Outgoing, bounds: &Bounds) -> Option<Limit> {
        if self.count >= bounds.packets {
            return Some(Limit::OutboundPackets);
        }
        // a packet alone may be larger than the bound
        let is_too_large =
            self.count > 0 && self.bytes.saturating_add(packet.size()) > bounds.bytes;
        is_too_large.then_some(Limit::OutboundBytes)
    }

    /// Drops the packet that only went into the queue because it could leave at once, which it did
    /// not. True: that made room enough.
    pub(super) fn drop_volatile(
        &mut self,
        packet: &Outgoing,
        bounds: &Bounds,
        evicted: &mut Evicted,
    ) -> bool {
        if !self.volatile_first || self.flushing || self.offset > 0 {
            return false;
        }
        self.volatile_first = false;
        if let Some(old) = self.packets.pop_front() {
            self.counted = self.counted.saturating_sub(1);
            self.bytes -= old.size();
            self.count -= 1;
            evicted.volatile += 1;
            evicted.removed().packets.push_back(old);
        }
        self.exceeds(packet, bounds).is_none()
    }

    /// Drops whole events from the front, never the partly written head, until the packet fits.
    pub(super) fn drop_oldest(
        &mut self,
        packet: &Outgoing,
        bounds: &Bounds,
        evicted: &mut Evicted,
    ) -> bool {
        let mut at = usize::from(self.offset > 0);
        while self.exceeds(packet, bounds).is_some() {
            match self.packets.get(at) {
                None => return false,
                Some(old) if bounds.may_drop(old) => {
                    self.bytes -= old.size();
                    self.count -= 1;
                    let old = self.packets.remove(at);
                    evicted.removed().packets.extend(old);
                    // too low does no harm, too high would
                    self.counted = self.counted.saturating_sub(1);
                    evicted.dropped += 1;
                    self.dropped = self.dropped.saturating_add(1);
                }
                Some(_) => at += 1,
            }
        }
        true
    }
}
