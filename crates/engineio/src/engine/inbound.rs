//! The bound on what comes in and is kept, in the whole server.
//!
//! What is counted is what a session keeps from one turn of its driver to the next: the head of its
//! request, messages that have begun, bodies that are being read or taken, bytes that are not read
//! yet, and what the layer above says that it keeps ([`Application::kept_bytes`]). A message that is
//! delivered in the turn in which it arrives changes nothing of that, and touches nothing here.
//! Over the bound, sessions are ended, see [`crate::engine::cut`].
//!
//! [`Application::kept_bytes`]: crate::Application::kept_bytes

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use crate::session::kept::Kept;

/// The sum over all sessions.
#[derive(Debug)]
pub(crate) struct Inbound {
    bytes: AtomicUsize,
    max: usize,
    /// Somebody found the bound passed, and nobody has done anything about it.
    over: AtomicBool,
}

impl Inbound {
    pub(crate) fn new(max: usize) -> Self {
        Self { bytes: AtomicUsize::new(0), max, over: AtomicBool::new(false) }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// The driver of a session keeps so much now.
    pub(crate) fn set(&self, kept: &Kept, now: usize) {
        self.change(&kept.by_driver, now);
    }

    /// One part of what a session keeps is so much now.
    pub(super) fn change(&self, part: &AtomicUsize, now: usize) {
        let before = part.load(Relaxed);
        if now == before {
            return;
        }
        part.store(now, Relaxed);
        if now < before {
            self.bytes.fetch_sub(before - now, Relaxed);
        } else if self.bytes.fetch_add(now - before, Relaxed) + (now - before) > self.max {
            self.over.store(true, Relaxed);
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// Whether the caller is the one who has to see to it.
    pub(super) fn claim(&self) -> bool {
        self.over.swap(false, Relaxed)
    }

    /// Bytes that have to go besides those that are `going` already: until an eighth of the bound is
    /// free, so that room is not to be made for every message. None if there is room again.
    pub(super) fn excess(&self, going: usize) -> usize {
        match self.bytes().saturating_sub(going) {
            bytes if bytes > self.max => bytes - (self.max - self.max / 8),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum() {
        let inbound = Inbound::new(800);
        let (one, other) = (Kept::default(), Kept::default());
        inbound.set(&one, 500);
        inbound.change(&other.body, 300);
        assert_eq!((inbound.bytes(), inbound.is_over(), inbound.excess(0)), (800, false, 0));
        inbound.set(&one, 501);
        assert_eq!((one.bytes(), inbound.excess(0), inbound.excess(1)), (501, 101, 0));
        assert!(inbound.is_over() && inbound.claim() && !inbound.claim());
        inbound.set(&one, 0);
        inbound.change(&other.body, 0);
        assert_eq!((inbound.bytes(), inbound.excess(0)), (0, 0));
    }
}
