//! Whom the server ends when more waits to be sent, or more is kept of what came, than it may hold
//! together: the bounds of [`crate::outbound::backlog`] and [`crate::engine::inbound`].

use std::collections::BinaryHeap;
use std::sync::atomic::AtomicUsize;

use engineio_proto::{CloseReason, log};

use crate::engine::Engine;
use crate::limits::Limit;
use crate::limits::addresses;
use crate::limits::fair::{Holder, whom_to_cut};
use crate::reason::CloseDetail;
use crate::session::socket::Socket;

impl Engine {
    /// Ends the sessions with the longest queues, as more waits than `max_total_outbound_bytes`.
    pub(crate) fn cut_longest_queues(&self) {
        let backlog = &self.bounds.backlog;
        if !backlog.claim() {
            return;
        }
        let sessions = self.all_sessions();
        let mut queues: BinaryHeap<(usize, u64)> =
            sessions.iter().map(Socket::queued_bytes).zip(0..).collect();
        // What others are writing just now, and packets that other queues share, are not freed at
        // once: so no more is cut than would have been enough.
        let mut excess = backlog.excess();
        while let Some((bytes, at)) = queues.pop() {
            let socket = &sessions[at as usize];
            if bytes == 0 || excess == 0 || backlog.excess() == 0 {
                break;
            }
            if socket.shared().outbox.cut() {
                excess = excess.saturating_sub(bytes);
                log!(debug:
                    sid = socket.id(),
                    bytes,
                    "queue cut: too much waits in the server"
                );
                self.counters.limited(Limit::TotalOutboundBytes);
                socket.wake();
            }
        }
    }

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
        let holder = |(socket, at): (&Socket, u64)| {
            let address = socket
                .remote_addr()
                .map(|address| addresses::network_of(address.ip(), self.options.ipv6_prefix));
            (address, socket.shared().kept.bytes(), at)
        };
        let holders: Vec<Holder> = open.iter().zip(0..).map(holder).collect();
        for at in whom_to_cut(&holders, self.inbound.excess(going.sum())) {
            let socket = &open[at as usize];
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

/// The body of a POST that is being read, counted while it is.
#[derive(Debug)]
pub(crate) struct Body<'a> {
    engine: &'a Engine,
    part: &'a AtomicUsize,
}

impl<'a> Body<'a> {
    /// `part`: where it is counted, beside the sum of the server.
    pub(crate) const fn new(engine: &'a Engine, part: &'a AtomicUsize) -> Self {
        Self { engine, part }
    }

    /// So much of it is there, and more is to come.
    pub(crate) fn has_grown(&self, bytes: usize) {
        self.engine.inbound.change(self.part, bytes);
        self.engine.cut_largest_holders();
    }
}

impl Drop for Body<'_> {
    fn drop(&mut self) {
        self.engine.inbound.change(self.part, 0);
    }
}
