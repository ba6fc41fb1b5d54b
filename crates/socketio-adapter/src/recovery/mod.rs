//! Connection state recovery in memory: what was sent, and to whom it was meant.
//!
//! Pure data behind the lock of the rooms: so a packet gets its position in the same section in which
//! it gets into the queues, and a client that comes back is a target of broadcasts from the packet on
//! that follows the last one that it missed.

pub(crate) mod log;
pub(crate) mod sessions;
pub(crate) mod trail;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use engineio_proto::Outgoing;

use log::{Bounds, Log, Removed};
use sessions::{Gone, Sessions};

/// How an adapter in memory keeps sessions and packets, for each namespace.
#[derive(Clone)]
#[non_exhaustive]
pub struct RecoveryOptions {
    /// How long a client may be away (2 minutes).
    pub max_disconnection_duration: Duration,
    /// Packets that are kept (10,000). Beyond, the oldest are let go of.
    pub max_packets: usize,
    /// Bytes of the packets that are kept (16 MiB). Beyond, as above.
    pub max_bytes: usize,
    /// How long a packet is kept (5 minutes): as long as a client may be away, and as it may have been
    /// cut off before anybody noticed.
    pub max_age: Duration,
    /// How long a client may be cut off before anybody notices (3 minutes): what it was sent before it
    /// has received.
    pub max_silence: Duration,
    /// Sessions of clients that are away (10,000). Beyond, the oldest are let go of.
    pub max_sessions: usize,
    /// How often each bound acted, of all namespaces.
    pub counters: Arc<RecoveryCounters>,
    /// What tells the time.
    pub clock: Clock,
}

/// What tells the time: an adapter reads no clock by itself.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Instant + Send + Sync>);

/// How often each bound of [`RecoveryOptions`] acted.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct RecoveryCounters {
    /// Packets let go of for [`RecoveryOptions::max_packets`].
    pub packets: AtomicU64,
    /// Packets let go of for [`RecoveryOptions::max_bytes`].
    pub bytes: AtomicU64,
    /// Packets let go of for [`RecoveryOptions::max_age`].
    pub age: AtomicU64,
    /// Sessions let go of for [`RecoveryOptions::max_sessions`].
    pub sessions: AtomicU64,
}

impl RecoveryOptions {
    /// The defaults, with what tells the time.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            max_disconnection_duration: Duration::from_secs(120),
            max_packets: 10_000,
            max_bytes: 16 * 1024 * 1024,
            max_age: Duration::from_secs(300),
            max_silence: Duration::from_secs(180),
            max_sessions: 10_000,
            counters: Arc::default(),
            clock,
        }
    }
}

impl Clock {
    /// What tells the time.
    pub fn new(now: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time.
    pub(crate) fn now(&self) -> Instant {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl fmt::Debug for RecoveryOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecoveryOptions")
            .field("max_disconnection_duration", &self.max_disconnection_duration)
            .finish_non_exhaustive()
    }
}

/// What the adapter keeps of one namespace.
pub(crate) struct State {
    pub(crate) log: Log<Outgoing>,
    pub(crate) sessions: Sessions,
}

/// What was let go of in a section, to be dropped behind it.
#[derive(Default)]
pub(crate) struct Leftovers {
    pub(crate) packets: Removed<Outgoing>,
    pub(crate) data: Gone,
    sessions: u64,
}

impl State {
    pub(crate) fn new(options: &RecoveryOptions, max_rooms: usize, mark: u64) -> Self {
        let RecoveryOptions { max_packets, max_bytes, max_age, .. } = *options;
        let bounds = Bounds { packets: max_packets, bytes: max_bytes, age: max_age };
        let times = [options.max_disconnection_duration, options.max_silence];
        let sessions = Sessions::new(max_rooms, options.max_sessions, times);
        Self { log: Log::new(bounds, mark), sessions }
    }

    /// Lets go of what is too old or too much.
    pub(crate) fn expire(&mut self, now: Instant, leftovers: &mut Leftovers) {
        let Leftovers { packets, data, sessions } = leftovers;
        *sessions += self.sessions.expire(now, &mut self.log, (data, packets));
        self.log.expire(now, &mut leftovers.packets);
        if self.sessions.is_empty() {
            self.log.clear(&mut leftovers.packets);
        }
    }
}

impl Leftovers {
    /// Counts what was let go of, and drops it.
    pub(crate) fn settle(self, counters: &RecoveryCounters) {
        let Self { packets, sessions, .. } = &self;
        packets.count(counters);
        if *sessions > 0 {
            counters.sessions.fetch_add(*sessions, Relaxed);
        }
    }
}

impl Removed<Outgoing> {
    /// Counts what was let go of.
    pub(crate) fn count(&self, counters: &RecoveryCounters) {
        if self.for_packets | self.for_bytes | self.for_age == 0 {
            return;
        }
        for (counter, count) in [
            (&counters.packets, self.for_packets),
            (&counters.bytes, self.for_bytes),
            (&counters.age, self.for_age),
        ] {
            if count > 0 {
                counter.fetch_add(count, Relaxed);
            }
        }
    }
}
