//! Counters: relaxed atomics, read as a snapshot.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use quinn::Connection;

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident: $atomic:ty as $plain:ty,)*) => {
        /// A snapshot of what a listener counts.
        ///
        /// Numbers of things that exist now go up and down; those of events count since the start.
        /// Sessions are counted by the server, as those of other transports.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[$doc])* pub $name: $plain,)*
            /// Requests that were refused, by their status. All that can be are listed.
            pub refused: Vec<(u16, u64)>,
            /// The round trip time, as last estimated, on the average of the connections that ended;
            /// zero if none did.
            pub rtt: Duration,
        }

        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: $atomic,)*
            refused: [AtomicU64; STATUSES.len()],
            rtt_micros: AtomicU64,
        }

        impl Counters {
            pub(crate) fn snapshot(&self) -> Stats {
                let ended = self.ended.load(Relaxed).max(1);
                Stats {
                    $($name: self.$name.load(Relaxed),)*
                    refused: STATUSES
                        .into_iter()
                        .zip(self.refused.iter().map(|count| count.load(Relaxed)))
                        .collect(),
                    rtt: Duration::from_micros(self.rtt_micros.load(Relaxed) / ended),
                }
            }
        }
    };
}

stats! {
    /// Connections that exist now, in whatever state.
    connections: AtomicUsize as usize,
    /// Those among them that have no session: whose handshake is under way, that have not asked for a
    /// session yet or have not begun it.
    pending: AtomicUsize as usize,
    /// Connections accepted.
    accepted: AtomicU64 as u64,
    /// Connections that ended, after their handshake.
    ended: AtomicU64 as u64,
    /// Connections refused because of [`Options::max_pending`](crate::Options::max_pending).
    too_many: AtomicU64 as u64,
    /// Connections refused because of
    /// [`max_connections_per_address`](engineio::Options::max_connections_per_address).
    too_many_of_address: AtomicU64 as u64,
    /// Clients that were asked to prove their address, see
    /// [`Options::retry_above`](crate::Options::retry_above).
    retries: AtomicU64 as u64,
    /// Handshakes of QUIC and TLS that failed.
    handshakes_failed: AtomicU64 as u64,
    /// Connections that were closed since they did not ask for a session within
    /// [`upgrade_timeout`](engineio::Options::upgrade_timeout).
    timed_out: AtomicU64 as u64,
    /// Sessions that began here, by their own first packet.
    opened: AtomicU64 as u64,
    /// Clients that polled and asked for an upgrade here. Those that went through with it are counted
    /// by the server.
    probes: AtomicU64 as u64,
    /// Streams refused: of no session, unidirectional ones, and those that did not say what they are.
    streams_refused: AtomicU64 as u64,
    /// Bytes received in UDP datagrams, by connections that ended.
    bytes_in: AtomicU64 as u64,
    /// Bytes sent in UDP datagrams, by connections that ended.
    bytes_out: AtomicU64 as u64,
    /// Packets sent, by connections that ended.
    packets_sent: AtomicU64 as u64,
    /// Packets lost of these.
    packets_lost: AtomicU64 as u64,
}

/// What requests are refused with.
const STATUSES: [u16; 8] = [400, 403, 404, 429, 431, 500, 501, 503];

impl Counters {
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }

    pub(crate) fn add_stream_refused(&self) {
        Self::add(&self.streams_refused);
    }

    pub(crate) fn add_refused(&self, status: u16) {
        if let Some(at) = STATUSES.iter().position(|known| *known == status) {
            Self::add(&self.refused[at]);
        }
    }

    /// A connection that had its handshake is over.
    pub(crate) fn add_ended(&self, connection: &Connection) {
        let stats = connection.stats();
        Self::add(&self.ended);
        self.bytes_in.fetch_add(stats.udp_rx.bytes, Relaxed);
        self.bytes_out.fetch_add(stats.udp_tx.bytes, Relaxed);
        self.packets_sent.fetch_add(stats.path.sent_packets, Relaxed);
        self.packets_lost.fetch_add(stats.path.lost_packets, Relaxed);
        let rtt = u64::try_from(stats.path.rtt.as_micros()).unwrap_or(u64::MAX);
        self.rtt_micros.fetch_add(rtt, Relaxed);
    }
}

/// Counts something as long as it exists.
#[derive(Debug)]
pub(crate) struct Counted {
    counters: Arc<Counters>,
    which: fn(&Counters) -> &AtomicUsize,
}

impl Counted {
    pub(crate) fn new(counters: &Arc<Counters>, which: fn(&Counters) -> &AtomicUsize) -> Self {
        which(counters).fetch_add(1, Relaxed);
        Self { counters: Arc::clone(counters), which }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.which)(&self.counters).fetch_sub(1, Relaxed);
    }
}
