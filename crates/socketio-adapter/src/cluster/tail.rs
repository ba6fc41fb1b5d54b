//! What is delivered while somebody comes back: the end of what a client missed, from the moment at which
//! reading the log for it began until it enters. Kept only as long as somebody is on the way.

use std::collections::VecDeque;

use engineio_proto::Outgoing;

use super::log::Offset;
use crate::BroadcastOptions;

/// The events that were delivered since the first of those who are on the way began.
#[derive(Debug, Default)]
pub(super) struct Tail {
    returning: usize,
    events: VecDeque<Passed>,
    bytes: usize,
    /// Some are not there.
    is_cut: bool,
}

/// An event that was delivered.
#[derive(Debug)]
pub(super) struct Passed {
    pub(super) at: (Offset, usize),
    /// With its offset.
    pub(super) packet: Outgoing,
    pub(super) options: BroadcastOptions,
}

impl Tail {
    /// Somebody comes back.
    pub(super) const fn begin(&mut self) {
        self.returning += 1;
    }

    /// One less. What nobody needs any more is to be dropped without a lock.
    pub(super) fn end(&mut self) -> VecDeque<Passed> {
        self.returning -= 1;
        if self.returning > 0 {
            return VecDeque::new();
        }
        (self.bytes, self.is_cut) = (0, false);
        std::mem::take(&mut self.events)
    }

    /// Something was delivered.
    pub(super) fn push(&mut self, event: impl FnOnce() -> Passed) {
        if self.returning == 0 || self.is_cut {
            return;
        }
        let event = event();
        self.bytes += event.packet.size();
        if self.events.len() >= MAX_EVENTS || self.bytes > MAX_BYTES {
            self.is_cut = true;
            return;
        }
        self.events.push_back(event);
    }

    /// What there is; `None`: not all of it.
    pub(super) fn events(&self) -> Option<impl Iterator<Item = &Passed>> {
        (!self.is_cut).then(|| self.events.iter())
    }
}

/// More than a busy namespace sends while middleware looks a client up.
const MAX_EVENTS: usize = 10_000;
const MAX_BYTES: usize = 16 << 20;
