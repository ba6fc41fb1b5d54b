//! The bound on what comes in and is kept, in the whole server.
//!
//! What is counted is what a session keeps from one turn of its driver to the next: the head of its
//! request, messages that have begun, bodies that are being read or taken, bytes that are not read
//! yet, and what the layer above says that it keeps ([`Application::kept_bytes`]). A message that is
//! delivered in the turn in which it arrives changes nothing of that, and touches nothing here.
//! Over the bound, sessions are ended, see [`Engine::cut_largest_holders`].
//!
//! [`Application::kept_bytes`]: crate::Application::kept_bytes

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use engineio_proto::{CloseReason, log};

use crate::engine::Engine;
use crate::limits::Limit;
use crate::limits::addresses;
use crate::limits::fair::whom_to_cut;
use crate::session::socket::{CloseDetail, Socket};

/// The sum over all sessions.
#[derive(Debug)]
pub(crate) struct Inbound {
    bytes: AtomicUsize,
    max: usize,
    /// Somebody found the bound passed, and nobody has done anything about it.
    over: AtomicBool,
}

/// What one session keeps.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// As its driver said last.
    by_driver: AtomicUsize,
    /// A body of which the driver does not know yet.
    body: AtomicUsize,
}

impl Kept {
    pub(crate) fn bytes(&self) -> usize {
        self.by_driver.load(Relaxed) + self.body.load(Relaxed)
    }
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

    fn change(&self, part: &AtomicUsize, now: usize) {
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
    fn claim(&self) -> bool {
        self.over.swap(false, Relaxed)
    }

    /// Bytes that have to go besides those that are `going` already: until an eighth of the bound is
    /// free, so that room is not to be made for every message. None if there is room again.
    fn excess(&self, going: usize) -> usize {
        match self.bytes().saturating_sub(going) {
            bytes if bytes > self.max => bytes - (self.max - self.max / 8),
            _ => 0,
        }
    }
}

/// The body of a POST that is being read, counted while it is.
#[derive(Debug)]
pub(crate) struct Body<'a> {
    engine: &'a Engine,
    socket: &'a Socket,
}

impl<'a> Body<'a> {
    pub(crate) const fn new(engine: &'a Engine, socket: &'a Socket) -> Self {
        Self { engine, socket }
    }

    /// So much of it is there, and more is to come.
    pub(crate) fn has_grown(&self, bytes: usize) {
        self.engine.inbound.change(&self.socket.shared().kept.body, bytes);
        self.engine.cut_largest_holders();
    }
}

impl Drop for Body<'_> {
    fn drop(&mut self) {
        self.engine.inbound.change(&self.socket.shared().kept.body, 0);
    }
}

impl Engine {
    /// If more is kept than `max_total_inbound_bytes`, ends the sessions for which most is kept: of
    /// the address that has most, the largest first. They are told by the drivers that they end.
    #[inline]
    pub(crate) fn cut_largest_holders(&self) {
        // each turn of each session asks
        if self.inbound.is_over() && self.inbound.claim() {
            self.cut_holders();
        }
    }

    #[cold]
    fn cut_holders(&self) {
        let (open, ending): (Vec<_>, Vec<_>) =
            self.all_sessions().into_iter().partition(Socket::is_open);
        // Of a session that ends, all but its head goes with the next turn of its driver.
        let going = ending.iter().map(|socket| {
            socket.shared().kept.bytes().saturating_sub(socket.request().kept_bytes())
        });
        let holders = open.into_iter().map(|socket| {
            let address = socket
                .remote_addr()
                .map(|address| addresses::network_of(address.ip(), self.options.ipv6_prefix));
            (address, socket.shared().kept.bytes(), socket)
        });
        for socket in whom_to_cut(holders, self.inbound.excess(going.sum())) {
            let bytes = socket.shared().kept.bytes();
            log!(warn:
                sid = socket.id(),
                address = ?socket.remote_addr(),
                bytes,
                "session cut: the server keeps too much of what clients sent"
            );
            self.counters.limited(Limit::TotalInboundBytes);
            socket.close_for(CloseReason::TransportError, Some(CloseDetail::KeptTooMuch));
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
