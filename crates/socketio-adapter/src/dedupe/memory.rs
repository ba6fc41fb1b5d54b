//! The store of one process: the table behind a lock, and who waits.

#![expect(clippy::disallowed_types, reason = "who handles and who waits share the table")]

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use engineio_proto::guard::lock;

use super::table::{Leftovers, Names, Table};
use super::{DedupeKey, DedupeOptions, DedupeStore, Outcome, Turn};
use crate::{AdapterError, AdapterFuture};

/// Remembers in memory which events were handled. A handle, cheap to clone.
#[derive(Clone)]
pub struct MemoryDedupe(Arc<Inner>);

struct Inner {
    table: Mutex<Table>,
    options: DedupeOptions,
    /// The number of the next who asks.
    next: AtomicU64,
}

impl MemoryDedupe {
    /// A store that remembers nothing yet.
    #[must_use]
    pub fn new(options: DedupeOptions) -> Self {
        Self(Arc::new(Inner { table: Mutex::default(), options, next: AtomicU64::new(0) }))
    }

    /// How many events it remembers, and about how many bytes they take.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        lock(&self.0.table).size()
    }
}

impl DedupeStore for MemoryDedupe {
    fn claim(&self, key: DedupeKey) -> AdapterFuture<Turn> {
        let number = self.0.next.fetch_add(1, Relaxed);
        Box::pin(Claiming { store: self.clone(), names: Names::of(&key), number, waits: false })
    }

    fn settle(&self, key: &DedupeKey, outcome: Outcome) {
        let Inner { table, options, .. } = &*self.0;
        let (names, now) = (Names::of(key), options.clock.now());
        let mut leftovers = Leftovers::default();
        lock(table).settle(&names, outcome, now, options, &mut leftovers);
        leftovers.settle();
    }
}

impl fmt::Debug for MemoryDedupe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDedupe").finish_non_exhaustive()
    }
}

/// Who asks for an event.
struct Claiming {
    store: MemoryDedupe,
    names: Names,
    number: u64,
    waits: bool,
}

impl Future for Claiming {
    type Output = Result<Turn, AdapterError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Inner { table, options, .. } = &*self.store.0;
        let (waiter, now) = ((self.number, cx.waker().clone()), options.clock.now());
        let mut leftovers = Leftovers::default();
        let turn = lock(table).claim(&self.names, waiter, now, options, &mut leftovers);
        leftovers.settle();
        self.waits = turn.is_none();
        turn.map_or(Poll::Pending, |turn| Poll::Ready(Ok(turn)))
    }
}

impl Drop for Claiming {
    fn drop(&mut self) {
        if self.waits {
            let mut leftovers = Leftovers::default();
            lock(&self.store.0.table).give_up(&self.names, self.number, &mut leftovers);
            leftovers.settle();
        }
    }
}
