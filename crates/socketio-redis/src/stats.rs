//! What is counted and told.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use socketio_adapter::{guard, log};
use tokio::sync::watch;

/// A snapshot of an adapter's counters, of all namespaces, since it was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Messages that Redis has confirmed.
    pub published: u64,
    /// Messages that were not and will not be published: the queue was full, or the connection broke
    /// before Redis confirmed them. Some of the latter may have arrived.
    pub lost: u64,
    /// Messages that wait for Redis.
    pub queued: usize,
    /// Messages of other nodes that were acted on.
    pub received: u64,
    /// What came on channels of the cluster and was no message of it.
    pub malformed: u64,
    /// Answers of clients of other nodes that were one too many for their emission.
    pub refused_answers: u64,
    /// Messages of other nodes that were dropped because they came faster than this one could deliver
    /// them, until 32 MiB or 200,000 messages waited.
    pub overrun: u64,
    /// How often more changes of what is listened to waited for Redis than may, and the connection was
    /// made anew.
    pub resubscribed: u64,
    /// Entries of streams that were gone before they were read, as the stream was trimmed or has begun
    /// anew. At least one for each time.
    pub missed: u64,
    /// Connections that were lost or not made, and commands that failed.
    pub errors: u64,
    /// Whether there are connections to Redis (to each master, if they are needed), and all
    /// subscriptions are in place.
    pub is_ready: bool,
}

/// What happens between an adapter and Redis.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A connection was lost, or could not be made. It is tried again.
    Disconnected(redis::RedisError),
    /// All connections are there, and all subscriptions are in place: at the start, and after each
    /// loss.
    Ready,
    /// So many messages were lost, see [`Stats::lost`].
    Lost(u64),
    /// So many entries of streams were missed, see [`Stats::missed`].
    Missed(u64),
}

/// The counters of an adapter, and who is told.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) published: AtomicU64,
    lost: AtomicU64,
    overrun: AtomicU64,
    resubscribed: AtomicU64,
    missed: AtomicU64,
    errors: AtomicU64,
    on_event: Option<OnEvent>,
    /// A connection was made or lost, or its subscriptions came into place.
    states: watch::Sender<()>,
}

pub(crate) type OnEvent = Arc<dyn Fn(&Event) + Send + Sync>;

impl Counters {
    pub(crate) fn new(on_event: Option<OnEvent>) -> Self {
        Self { on_event, ..Self::default() }
    }

    pub(crate) fn lost(&self, messages: usize) {
        let messages = messages as u64;
        self.lost.fetch_add(messages, Ordering::Relaxed);
        self.tell(&Event::Lost(messages));
    }

    pub(crate) fn overrun(&self) {
        self.overrun.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn resubscribed(&self) {
        self.resubscribed.fetch_add(1, Ordering::Relaxed);
    }

    /// Entries of streams were gone before they were read.
    pub(crate) fn missed(&self, entries: u64) {
        self.missed.fetch_add(entries, Ordering::Relaxed);
        log!(warn: entries, "entries of the cluster were gone before they were read");
        self.tell(&Event::Missed(entries));
    }

    pub(crate) fn failed(&self, error: redis::RedisError) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        log!(debug: %error, "redis");
        self.tell(&Event::Disconnected(error));
    }

    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// See `states`.
    pub(crate) fn changed(&self) {
        self.states.send_replace(());
    }

    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.states.subscribe()
    }

    pub(crate) fn tell(&self, event: &Event) {
        if let Some(on_event) = &self.on_event {
            // its panic must not end the task that tells of it
            let _ = guard::call(|| on_event(event));
        }
    }

    pub(crate) fn read(&self, stats: &mut Stats) {
        stats.published = self.published.load(Ordering::Relaxed);
        stats.lost = self.lost.load(Ordering::Relaxed);
        stats.overrun = self.overrun.load(Ordering::Relaxed);
        stats.resubscribed = self.resubscribed.load(Ordering::Relaxed);
        stats.missed = self.missed.load(Ordering::Relaxed);
        stats.errors = self.errors.load(Ordering::Relaxed);
    }
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counters").finish_non_exhaustive()
    }
}
