//! The acknowledgements that a socket's client owes: the table of who waits.

use std::collections::BTreeMap;
use std::time::Instant;

use socketio_parser::RawArgs;

use crate::error::AckError;

/// Who waits for an acknowledgement: called once, with the answer or with why there is none.
pub(crate) type Waiter = Box<dyn FnOnce(Result<&RawArgs<'_>, AckError>) + Send>;

/// The acknowledgements that a socket's client owes, by id.
#[derive(Default)]
pub(crate) struct Acks {
    waiting: BTreeMap<u64, Entry>,
    closed: bool,
}

struct Entry {
    waiter: Waiter,
    deadline: Option<Instant>,
}

/// What a table does not take (any more), for the caller to fail outside of its lock.
pub(crate) struct Rejected {
    pub(crate) waiter: Waiter,
    pub(crate) error: AckError,
}

impl Acks {
    /// Adds a waiter. Of more than `limit` the oldest is given up; all of a closed table are.
    pub(crate) fn add(
        &mut self,
        id: u64,
        deadline: Option<Instant>,
        limit: usize,
        waiter: Waiter,
    ) -> Option<Rejected> {
        if self.closed {
            return Some(Rejected { waiter, error: AckError::Disconnected });
        }
        self.waiting.insert(id, Entry { waiter, deadline });
        if self.waiting.len() <= limit {
            return None;
        }
        let (_, oldest) = self.waiting.pop_first()?;
        Some(Rejected { waiter: oldest.waiter, error: AckError::Timeout })
    }

    /// The client answered, or the event was not sent. None: nobody waits (any more).
    pub(crate) fn take(&mut self, id: u64) -> Option<Waiter> {
        self.waiting.remove(&id).map(|entry| entry.waiter)
    }

    /// Takes those whose time is over.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<Waiter> {
        let is_due = |entry: &Entry| entry.deadline.is_some_and(|deadline| deadline <= now);
        let due: Vec<u64> =
            self.waiting.iter().filter(|(_, entry)| is_due(entry)).map(|(id, _)| *id).collect();
        due.into_iter().filter_map(|id| self.take(id)).collect()
    }

    /// The nearest deadline.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.waiting.values().filter_map(|entry| entry.deadline).min()
    }

    /// Takes all, and no more after them.
    pub(crate) fn close(&mut self) -> Vec<Waiter> {
        self.closed = true;
        std::mem::take(&mut self.waiting).into_values().map(|entry| entry.waiter).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}
