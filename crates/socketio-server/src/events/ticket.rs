//! An event that is handled now and must not be handled twice: until it is known what became of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use engineio_proto::guard;
use engineio_proto::log;
use serde::Serialize;
use socketio_adapter::{DedupeKey, DedupeStore, Handled, Outcome};
use socketio_parser::RawArgs;

use crate::error::EmitError;

/// Held by all that may still answer the event. The first of these says what became of it: an answer,
/// a failure, or that nobody is left to answer.
pub(crate) struct Ticket {
    store: Arc<dyn DedupeStore>,
    key: DedupeKey,
    max_answer_bytes: usize,
    is_settled: AtomicBool,
    /// Handlers that have not come to a good end.
    unfinished: AtomicUsize,
}

impl Ticket {
    pub(crate) fn new(
        store: Arc<dyn DedupeStore>,
        key: DedupeKey,
        max_answer_bytes: usize,
    ) -> Self {
        let (is_settled, unfinished) = (AtomicBool::new(false), AtomicUsize::new(0));
        Self { store, key, max_answer_bytes, is_settled, unfinished }
    }

    /// A handler is called.
    pub(crate) fn begin(&self) {
        self.unfinished.fetch_add(1, Relaxed);
    }

    /// A handler came to a good end.
    pub(crate) fn end(&self) {
        self.unfinished.fetch_sub(1, Relaxed);
    }

    /// A handler failed: unless it was answered before, the event was not handled.
    pub(crate) fn fail(&self) {
        self.settle(|| Outcome::Failed);
    }

    /// The event is answered.
    pub(crate) fn answer<T: Serialize>(&self, args: &T) -> Result<(), EmitError> {
        // arguments are written by code of the user, as for the client
        let args = RawArgs::from_serialize(args)?;
        self.settle(|| {
            let bytes = args.value_bytes();
            match bytes > self.max_answer_bytes {
                true => Outcome::Handled(Handled::TooLarge, 0),
                false => Outcome::Handled(Handled::Answered(args.into_values().into()), bytes),
            }
        });
        Ok(())
    }

    fn settle(&self, outcome: impl FnOnce() -> Outcome) {
        if !self.is_settled.swap(true, Relaxed)
            && guard::call(|| self.store.settle(&self.key, outcome())).is_err()
        {
            log!(error: "a store of handled events panicked");
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        match *self.unfinished.get_mut() {
            0 => self.settle(|| Outcome::Handled(Handled::Unanswered, 0)),
            // a panic, or a future that was dropped
            _ => self.settle(|| Outcome::Failed),
        }
    }
}
