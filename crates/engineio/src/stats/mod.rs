//! Counters of the engine: relaxed atomics, read as a snapshot.
//!
//! What each message counts is striped: a thread adds to a cache line that few others write to. All
//! else is counted once a session, or when something is wrong.

use std::cell::Cell;
use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use engineio_proto::{CloseReason, HandshakeError, Protocol, TransportKind};

use crate::limits::named::LimitCounters;
use crate::limits::{Limit, LimitCounts};
use crate::reason::CloseDetail;
use crate::stats::relayed::Relayed;

#[cfg(feature = "metrics")]
pub(crate) mod metrics;
#[cfg(feature = "metrics")]
mod receipts;
pub(crate) mod relayed;

macro_rules! stats {
    (
        each_message { $($(#[$hot_doc:meta])* $hot:ident,)* }
        else { $($(#[$doc:meta])* $name:ident: $atomic:ty as $plain:ty,)* }
    ) => {
        /// A snapshot of what the engine counts.
        ///
        /// Numbers of things that exist now go up and down; those of events count since the start.
        /// Each number is exact, but they are not read at one moment.
        ///
        /// Snapshots of several engines can be added up.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            /// Whether new sessions are refused, since the server is drained or closed; of several
            /// engines, whether one does.
            pub draining: bool,
            /// Sessions that are open now, by transport and protocol. All kinds are listed.
            pub open: Vec<(TransportKind, Protocol, usize)>,
            /// Bytes that wait to be sent now, to all clients.
            pub queued_bytes: usize,
            /// Bytes that wait to be sent now to the client to whom most do.
            pub longest_queue: usize,
            $($(#[$hot_doc])* pub $hot: u64,)*
            $($(#[$doc])* pub $name: $plain,)*
            /// Sessions ended, by reason. All reasons are listed.
            pub closed: Vec<(CloseReason, u64)>,
            /// Requests refused with an error of the protocol's table, by its code (0 to 5). All
            /// codes are listed.
            pub refused_by_code: Vec<(u8, u64)>,
            /// Connections of our own listeners that are open now, in whatever state, WebSockets
            /// included.
            pub connections: usize,
            /// Bytes that wait in the queues of clients who do not take them; a packet that waits for
            /// many counts once.
            pub outbound_bytes: usize,
            /// Bytes that are kept of what clients sent.
            pub inbound_bytes: usize,
            /// What is passed on between nodes.
            pub relayed: Relayed,
            /// How often each limit acted.
            pub limits: LimitCounts,
        }

        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            stripes: [Stripe; STRIPES],
            $(pub(crate) $name: $atomic,)*
            closed: [AtomicU64; REASONS.len()],
            refused_by_code: [AtomicU64; CODES],
            limits: LimitCounters<Limit>,
            pub(crate) relayed: relayed::Counters,
        }

        /// What each message counts, of some threads. Two cache lines, as they are fetched in pairs.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub(crate) struct Stripe {
            $(pub(crate) $hot: AtomicU64,)*
        }

        impl Counters {
            /// Without what the engine and its sessions know.
            pub(crate) fn snapshot(&self) -> Stats {
                let load = |counter: &AtomicU64| counter.load(Relaxed);
                Stats {
                    $($hot: self.stripes.iter().map(|stripe| load(&stripe.$hot)).sum(),)*
                    $($name: self.$name.load(Relaxed),)*
                    closed: REASONS.into_iter().zip(self.closed.iter().map(load)).collect(),
                    refused_by_code: (0..).zip(self.refused_by_code.iter().map(load)).collect(),
                    limits: self.limits.counts().collect(),
                    relayed: self.relayed.snapshot(),
                    ..Stats::default()
                }
            }
        }

        impl AddAssign for Stats {
            fn add_assign(&mut self, other: Self) {
                self.draining |= other.draining;
                self.queued_bytes += other.queued_bytes;
                self.longest_queue = self.longest_queue.max(other.longest_queue);
                $(self.$hot += other.$hot;)*
                $(self.$name += other.$name;)*
                for (transport, protocol, more) in other.open {
                    let same = |(t, p, _): &&mut (_, _, _)| (*t, *p) == (transport, protocol);
                    match self.open.iter_mut().find(same) {
                        Some((.., count)) => *count += more,
                        None => self.open.push((transport, protocol, more)),
                    }
                }
                self.connections += other.connections;
                self.outbound_bytes += other.outbound_bytes;
                self.inbound_bytes += other.inbound_bytes;
                self.relayed += other.relayed;
                self.limits.add_all(&other.limits);
                add_by(&mut self.closed, other.closed);
                add_by(&mut self.refused_by_code, other.refused_by_code);
            }
        }
    };
}

stats! {
    each_message {
        /// Messages received.
        messages_in,
        /// Packets handed to the transports, one for each receiver.
        packets_out,
        /// Packets dropped because they were volatile and the receiver not ready.
        volatile_dropped,
        /// Packets dropped because the receiver's queue was full.
        queue_dropped,
    }
    else {
        /// Sessions that exist now: being opened, open or closing.
        sessions: AtomicUsize as usize,
        /// Connections that our own listeners serve now by HTTP. Those that became WebSockets are
        /// not among them.
        http_connections: AtomicUsize as usize,
        /// Sessions opened.
        opened: AtomicU64 as u64,
        /// Sessions that changed from polling to another transport.
        upgraded: AtomicU64 as u64,
        /// Sessions ended because their queue was full, or the peer took nothing for too long.
        slow_consumers: AtomicU64 as u64,
        /// Sessions whose peers were still to be told of the end when the time of
        /// [`Closing::within`](crate::Closing::within) was over.
        cut_off: AtomicU64 as u64,
        /// Handshakes and requests refused, for whatever reason.
        refused: AtomicU64 as u64,
        /// Handshakes refused with 503: too many sessions, or the server is drained or closed.
        unavailable: AtomicU64 as u64,
        /// Bodies and messages refused for their size.
        too_large: AtomicU64 as u64,
        /// Panics of the layer above, each of which ended its session, and of functions among the
        /// options.
        panics: AtomicU64 as u64,
        /// Pings for [receipts](crate::Socket::receipt) that were answered; one may serve many.
        receipts: AtomicU64 as u64,
        /// Times that a listener of ours failed to accept a connection, as without file
        /// descriptors.
        accept_errors: AtomicU64 as u64,
    }
}

const REASONS: [CloseReason; 7] = [
    CloseReason::TransportError,
    CloseReason::TransportClose,
    CloseReason::PingTimeout,
    CloseReason::ParseError,
    CloseReason::ForcedClose,
    CloseReason::ForcedServerClose,
    CloseReason::ServerShuttingDown,
];

/// The codes of [`HandshakeError`].
const CODES: usize = 6;

/// Enough for the worker threads of most machines; with more, some share.
const STRIPES: usize = 16;

impl Counters {
    /// A ping for receipts was answered, so long after it was sent.
    pub(crate) fn receipt(&self, round_trip: Duration) {
        self.receipts.fetch_add(1, Relaxed);
        #[cfg(feature = "metrics")]
        receipts::tell(round_trip);
        #[cfg(not(feature = "metrics"))]
        let _ = round_trip;
    }

    pub(crate) fn add(counter: &AtomicU64) {
        Self::add_many(counter, 1);
    }

    pub(crate) fn add_many(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Relaxed);
    }

    pub(crate) fn sent(&self, packets: usize) {
        if packets > 0 {
            Self::add_many(&self.stripe().packets_out, packets as u64);
        }
    }

    /// A limit acted.
    pub(crate) fn limited(&self, limit: Limit) {
        self.limited_many(limit, 1);
    }

    pub(crate) fn limited_many(&self, limit: Limit, count: u64) {
        self.limits.add(limit, count);
    }

    /// The counters of this thread for what each message counts.
    pub(crate) fn stripe(&self) -> &Stripe {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static MINE: Cell<Option<usize>> = const { Cell::new(None) };
        }
        let mine = MINE.get().unwrap_or_else(|| {
            let mine = NEXT.fetch_add(1, Relaxed);
            MINE.set(Some(mine));
            mine
        });
        &self.stripes[mine % STRIPES]
    }

    pub(crate) fn session_opened(&self) {
        self.sessions.fetch_add(1, Relaxed);
        Self::add(&self.opened);
    }

    pub(crate) fn session_closed(&self, reason: CloseReason, detail: Option<CloseDetail>) {
        if let Some(at) = REASONS.iter().position(|r| *r == reason) {
            Self::add(&self.closed[at]);
        }
        if reason == CloseReason::PingTimeout {
            self.limited(Limit::PingTimeout);
        }
        match detail {
            Some(CloseDetail::SlowConsumer) => Self::add(&self.slow_consumers),
            Some(CloseDetail::TooLarge) => {
                Self::add(&self.too_large);
                self.limited(Limit::HttpBufferSize);
            }
            Some(CloseDetail::RateLimited) => self.limited(Limit::RateGrace),
            Some(CloseDetail::NotRead) => self.limited(Limit::ReadPause),
            Some(CloseDetail::Panic) => Self::add(&self.panics),
            _ => {}
        }
    }

    pub(crate) fn session_gone(&self) {
        self.sessions.fetch_sub(1, Relaxed);
    }

    /// Counts a connection for as long as the result lives.
    pub(crate) fn http_connection(&self) -> impl Drop {
        struct Served<'a>(&'a AtomicUsize);
        impl Drop for Served<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Relaxed);
            }
        }
        self.http_connections.fetch_add(1, Relaxed);
        Served(&self.http_connections)
    }

    pub(crate) fn request_refused(&self, error: &HandshakeError) {
        if let Some(counter) = self.refused_by_code.get(usize::from(error.code())) {
            Self::add(counter);
        }
    }
}

fn add_by<K: PartialEq>(all: &mut Vec<(K, u64)>, more: Vec<(K, u64)>) {
    for (key, more) in more {
        match all.iter_mut().find(|(k, _)| *k == key) {
            Some((_, count)) => *count += more,
            None => all.push((key, more)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_threads_count_is_added_up() {
        let counters = Counters::default();
        std::thread::scope(|scope| {
            for _ in 0..STRIPES + 3 {
                scope.spawn(|| Counters::add_many(&counters.stripe().messages_in, 5));
            }
        });
        assert_eq!(counters.snapshot().messages_in, 5 * (STRIPES as u64 + 3));
        assert_eq!(size_of::<Stripe>(), 128, "a stripe of its own each");
    }

    #[test]
    fn snapshots_add_up() {
        let counters = Counters::default();
        counters.session_opened();
        counters.session_closed(CloseReason::PingTimeout, Some(CloseDetail::SlowConsumer));
        counters.request_refused(&HandshakeError::BadMethod);
        let mut one = counters.snapshot();
        one.open = vec![(TransportKind::Polling, Protocol::V4, 3)];
        one.longest_queue = 7;
        let mut both = Stats::default();
        both += one.clone();
        assert_eq!(both, one);
        one.longest_queue = 5;
        both += one;
        assert_eq!((both.sessions, both.opened, both.slow_consumers), (2, 2, 2));
        assert_eq!((both.longest_queue, both.open[0].2), (7, 6));
        assert_eq!(both.closed[2], (CloseReason::PingTimeout, 2));
        assert_eq!(both.refused_by_code[2], (2, 2));
    }
}
