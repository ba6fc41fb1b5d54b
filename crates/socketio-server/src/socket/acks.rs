//! The acknowledgements that a socket's client owes: the table of who waits.

use std::collections::VecDeque;
use std::time::Instant;

use socketio_parser::RawArgs;

use crate::error::AckError;

/// Who waits for an acknowledgement: called once, with the answer or with why there is none.
pub(crate) type Waiter = Box<dyn FnOnce(Result<&RawArgs<'_>, AckError>) + Send>;

/// The acknowledgements that a socket's client owes, by id.
#[derive(Default)]
pub(crate) struct Acks {
    /// In the order of their ids, which is about that in which they came.
    waiting: VecDeque<Entry>,
    closed: bool,
}

struct Entry {
    id: u64,
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
        let at = self.position(id).unwrap_or_else(|at| at);
        self.waiting.insert(at, Entry { id, waiter, deadline });
        if self.waiting.len() <= limit {
            return None;
        }
        let oldest = self.waiting.pop_front()?;
        Some(Rejected { waiter: oldest.waiter, error: AckError::Timeout })
    }

    /// The client answered, or the event was not sent. None: nobody waits (any more).
    pub(crate) fn take(&mut self, id: u64) -> Option<Waiter> {
        let at = self.position(id).ok()?;
        self.waiting.remove(at).map(|entry| entry.waiter)
    }

    /// Where an id is, or belongs.
    fn position(&self, id: u64) -> Result<usize, usize> {
        match self.waiting.back() {
            Some(last) if last.id < id => Err(self.waiting.len()),
            _ => self.waiting.binary_search_by_key(&id, |entry| entry.id),
        }
    }

    /// Takes those whose time is over.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<Waiter> {
        let is_due = |entry: &Entry| entry.deadline.is_some_and(|deadline| deadline <= now);
        if !self.waiting.iter().any(is_due) {
            return Vec::new();
        }
        let (due, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(is_due);
        self.waiting = waiting;
        Vec::from_iter(due.into_iter().map(|entry: Entry| entry.waiter))
    }

    /// The nearest deadline.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.waiting.iter().filter_map(|entry| entry.deadline).min()
    }

    /// Takes all, and no more after them.
    pub(crate) fn close(&mut self) -> Vec<Waiter> {
        self.closed = true;
        std::mem::take(&mut self.waiting).into_iter().map(|entry| entry.waiter).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}
