//! Events that come again, as clients repeat what was not acknowledged in time: who asks first
//! handles one, all others have its answer.

pub(crate) mod memory;
mod table;

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use socketio_parser::Value;

use crate::AdapterFuture;
use crate::recovery::Clock;

/// Remembers which events were handled, and what was answered. [`MemoryDedupe`](crate::MemoryDedupe)
/// does it for one process; a store that several share makes it hold on all of them.
pub trait DedupeStore: Send + Sync + Debug + 'static {
    /// Asks whose an event is. The first has it ([`Turn::Yours`]), and says by
    /// [`settle`](DedupeStore::settle) what became of it; who asks meanwhile waits for that. If the first
    /// failed, the event is the next one's.
    ///
    /// A future that is dropped asks no more. Its result is not to be lost: an event that nobody
    /// settles stays somebody's, in a store that others share until a time of its own is over.
    ///
    /// # Errors
    /// If what the store runs on failed.
    fn claim(&self, key: DedupeKey) -> AdapterFuture<Turn>;

    /// Says what became of an event that was [`Turn::Yours`]. Called once, and never waits.
    fn settle(&self, key: &DedupeKey, outcome: Outcome);
}

/// What tells an event from others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "made by the server, read by the store")]
pub struct DedupeKey {
    /// The namespace.
    pub namespace: Arc<str>,
    /// Whose the key is: a text for each user, session or socket, and no two have the same.
    pub scope: String,
    /// The name of the event.
    pub event: String,
    /// What the client calls it.
    pub key: String,
}

/// Whose an event is.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "it was handled, or is to be, or cannot be noted")]
pub enum Turn {
    /// Who asked for it is to handle it.
    Yours,
    /// It was handled.
    Handled(Handled),
    /// The store has no room to note it.
    Full,
}

/// What an event was answered.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "an answer is there, or not, or not kept")]
pub enum Handled {
    /// These arguments.
    Answered(Arc<[Value]>),
    /// Nothing.
    Unanswered,
    /// More than is kept.
    TooLarge,
}

/// What became of an event.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "it was handled, or it was not")]
pub enum Outcome {
    /// It was handled; and how many bytes the answer takes.
    Handled(Handled, usize),
    /// It was not: it is to be handled if it comes again.
    Failed,
}

/// How much a [`MemoryDedupe`](crate::MemoryDedupe) remembers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DedupeOptions {
    /// How long (5 minutes), from the answer on.
    pub keep: Duration,
    /// Events of one scope (256). Beyond, the oldest that was handled is forgotten.
    pub max_keys_per_scope: usize,
    /// Events of all scopes (100,000). Beyond, as above.
    pub max_keys: usize,
    /// Bytes of all events, their answers included (64 MiB). Beyond, as above.
    pub max_bytes: usize,
    /// How often each bound acted.
    pub counters: Arc<DedupeCounters>,
    /// What tells the time.
    pub clock: Clock,
}

/// How often each bound of [`DedupeOptions`] acted.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct DedupeCounters {
    /// Events that [`DedupeOptions::max_keys_per_scope`] made forgotten, or left no room for.
    pub scope_keys: AtomicU64,
    /// Those of [`DedupeOptions::max_keys`].
    pub keys: AtomicU64,
    /// Those of [`DedupeOptions::max_bytes`].
    pub bytes: AtomicU64,
}

impl DedupeOptions {
    /// The defaults, with what tells the time.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            keep: Duration::from_secs(300),
            max_keys_per_scope: 256,
            max_keys: 100_000,
            max_bytes: 64 * 1024 * 1024,
            counters: Arc::default(),
            clock,
        }
    }
}
