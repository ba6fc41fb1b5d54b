//! What is kept of what the client of one session sent.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What one session keeps.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// As its driver said last.
    pub(crate) by_driver: AtomicUsize,
    /// A body of which the driver does not know yet.
    pub(crate) body: AtomicUsize,
}

impl Kept {
    pub(crate) fn bytes(&self) -> usize {
        self.by_driver.load(Relaxed) + self.body.load(Relaxed)
    }
}
