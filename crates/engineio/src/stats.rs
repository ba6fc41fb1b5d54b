//! Counters of the engine: relaxed atomics, read as a snapshot.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use engineio_proto::CloseReason;

use crate::limits::{Limit, LimitCounters, LimitCounts};
use crate::socket::Detail;

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident: $atomic:ty as $plain:ty,)*) => {
        /// A snapshot of the engine's counters. Those of events count since the start.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[$doc])* pub $name: $plain,)*
            /// Sessions ended, by reason.
            pub closed: Vec<(CloseReason, u64)>,
            /// Bytes that wait in the queues of clients who do not take them; a packet that waits for
            /// many counts once.
            pub outbound_bytes: usize,
            /// How often each limit acted.
            pub limits: LimitCounts,
        }

        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: $atomic,)*
            closed: [AtomicU64; REASONS.len()],
            limits: LimitCounters,
        }

        impl Counters {
            pub(crate) fn snapshot(&self) -> Stats {
                let count = |(i, reason): (usize, &CloseReason)| (*reason, self.closed[i].load(Relaxed));
                Stats {
                    $($name: self.$name.load(Relaxed),)*
                    closed: REASONS.iter().enumerate().map(count).collect(),
                    outbound_bytes: 0,
                    limits: self.limits.snapshot(),
                }
            }
        }
    };
}

stats! {
    /// Sessions that exist now: open or closing.
    sessions: AtomicUsize as usize,
    /// Sessions opened.
    opened: AtomicU64 as u64,
    /// Sessions that changed from polling to WebSocket.
    upgraded: AtomicU64 as u64,
    /// Messages received.
    messages_in: AtomicU64 as u64,
    /// Packets queued to be sent, one for each receiver.
    packets_out: AtomicU64 as u64,
    /// Packets dropped because they were volatile and the receiver not ready.
    volatile_dropped: AtomicU64 as u64,
    /// Packets dropped because the receiver's queue was full.
    queue_dropped: AtomicU64 as u64,
    /// Sessions ended because their queue was full, or the peer took nothing for too long.
    slow_consumers: AtomicU64 as u64,
    /// Handshakes and requests refused.
    refused: AtomicU64 as u64,
    /// Bodies and messages refused for their size.
    too_large: AtomicU64 as u64,
    /// Panics of the layer above, each of which ended its session, and of functions among the
    /// options.
    panics: AtomicU64 as u64,
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

impl Counters {
    pub(crate) fn add(counter: &AtomicU64) {
        Self::add_many(counter, 1);
    }

    pub(crate) fn add_many(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Relaxed);
    }

    /// A limit acted.
    pub(crate) fn limited(&self, limit: Limit) {
        self.limited_many(limit, 1);
    }

    pub(crate) fn limited_many(&self, limit: Limit, count: u64) {
        self.limits.add(limit, count);
    }

    pub(crate) fn session_opened(&self) {
        self.sessions.fetch_add(1, Relaxed);
        Self::add(&self.opened);
    }

    pub(crate) fn session_closed(&self, reason: CloseReason, detail: Option<Detail>) {
        if let Some(at) = REASONS.iter().position(|r| *r == reason) {
            Self::add(&self.closed[at]);
        }
        if reason == CloseReason::PingTimeout {
            self.limited(Limit::PingTimeout);
        }
        match detail {
            Some(Detail::SlowConsumer) => Self::add(&self.slow_consumers),
            Some(Detail::TooLarge) => {
                Self::add(&self.too_large);
                self.limited(Limit::HttpBufferSize);
            }
            Some(Detail::RateLimited) => self.limited(Limit::RateGrace),
            Some(Detail::NotRead) => self.limited(Limit::ReadPause),
            Some(Detail::Panic) => Self::add(&self.panics),
            _ => {}
        }
    }

    pub(crate) fn session_gone(&self) {
        self.sessions.fetch_sub(1, Relaxed);
    }
}
